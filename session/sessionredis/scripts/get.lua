-- get: the row of a token, and the stamp of its tenant's policy where that key is given too.
local row = redis.call('HMGET', key, 'g', ARGV[1])
if row[1] and row[1] ~= gen then return redis.error_reply('STALE') end
local stamp = ''
if KEYS[2] then
  local p = redis.call('HMGET', KEYS[2], 'g', 's')
  if p[1] == gen and p[2] then stamp = p[2] end
end
return {row[2] or '', stamp}
