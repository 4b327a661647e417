-- rotate: field of the old row, field of the next, next row, time until which the old one
-- works, milliseconds to keep.
if stale(key) then return redis.error_reply('STALE') end
local v = redis.call('HGET', key, ARGV[1])
if not v then return redis.error_reply('CONFLICT') end
local old, next = parse(v), parse(ARGV[3])
if old.id ~= next.id or old.sup ~= '0' or old.version ~= next.version - 1 or not live(old, next.seen) then
  return redis.error_reply('CONFLICT')
end
if redis.call('HEXISTS', key, ARGV[2]) == 1 then return redis.error_reply('EXISTS') end
tidy(next.seen)
local until_ = number(ARGV[4])
local idle = old.idle > until_ and ARGV[4] or string.sub(v, 9, 16)
local ends = old.ends > until_ and ARGV[4] or string.sub(v, 17, 24)
redis.call('HSET', key, ARGV[2], ARGV[3],
  ARGV[1], string.sub(v, 1, 8) .. idle .. ends .. string.sub(v, 25, 56) .. '1' .. string.sub(v, 58))
keep(tonumber(ARGV[5]))
return 1
