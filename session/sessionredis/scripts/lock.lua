-- lock: time, id, except. Answers how many sessions it locked.
if stale(key) then return redis.error_reply('STALE') end
local n = 0
for f, r in pairs(rows()) do
  if r.ended == 0 and r.locked == 0 and selected(r, ARGV[2], ARGV[3]) then
    redis.call('HSET', key, f, string.sub(r.v, 1, 32) .. ARGV[1] ..
      struct.pack('>I8', r.version + 1) .. string.sub(r.v, 49))
    if r.sup == '0' then n = n + 1 end
  end
end
return n
