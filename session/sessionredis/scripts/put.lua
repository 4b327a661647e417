-- put: field, time, milliseconds to keep a key that holds nothing else.
if stale(key) then return redis.error_reply('STALE') end
redis.call('HSET', key, 'g', gen, ARGV[1], ARGV[2])
if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ARGV[3]) end
return 1
