-- heal: version, new stamp. Forgets those who would have saved a version that is reached:
-- they have saved it, or never will.
if stale(key) then return redis.error_reply('STALE') end
local all = redis.call('HGETALL', key)
local healed, left = false, false
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) == 'w' then
    if tonumber(all[i + 1]) <= tonumber(ARGV[1]) then
      redis.call('HDEL', key, all[i])
      healed = true
    else
      left = true
    end
  end
end
if healed and not left then redis.call('HSET', key, 'g', gen, 's', ARGV[2]) end
return 1
