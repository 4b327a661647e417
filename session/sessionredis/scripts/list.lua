-- list: the person's rows.
if stale(key) then return redis.error_reply('STALE') end
local all = {}
for _, r in pairs(rows()) do all[#all + 1] = r.v end
return all
