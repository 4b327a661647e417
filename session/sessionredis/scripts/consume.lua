-- consume: field, now. Answers 1 if there was a proof that is not over.
if stale(key) then return redis.error_reply('STALE') end
local v = redis.call('HGET', key, ARGV[1])
if not v then return 0 end
redis.call('HDEL', key, ARGV[1])
if number(v) > number(ARGV[2]) then return 1 end
return 0
