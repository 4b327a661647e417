-- touch: field, seen, end of the idle time. Answers 1 if the row is live at seen.
if stale(key) then return redis.error_reply('STALE') end
local v = redis.call('HGET', key, ARGV[1])
if not v then return 0 end
local r, seen = parse(v), number(ARGV[2])
if not live(r, seen) then return 0 end
if seen > r.seen then
  redis.call('HSET', key, ARGV[1], ARGV[2] .. ARGV[3] .. string.sub(v, 17))
end
return 1
