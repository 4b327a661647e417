-- revoke: time, reason, id, except. Answers how many sessions it ended.
if stale(key) then return redis.error_reply('STALE') end
local n = 0
for f, r in pairs(rows()) do
  if r.ended == 0 and selected(r, ARGV[3], ARGV[4]) then
    redis.call('HSET', key, f, ended(r, ARGV[1], ARGV[2]))
    if r.sup == '0' then n = n + 1 end
  end
end
return n
