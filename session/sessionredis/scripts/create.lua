-- create: field, row, limit, milliseconds to keep, reason of those it ends.
if stale(key) then return redis.error_reply('STALE') end
local field, row, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local new = parse(row)
local all, others = tidy(new.created), {}
for f, r in pairs(all) do
  if f == field or r.id == new.id then return redis.error_reply('EXISTS') end
  if limit > 0 and r.sup == '0' and live(r, new.created) then others[#others + 1] = r end
end
local function bytewise(a, b) -- the order of Go; Lua's depends on the locale
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
table.sort(others, function(a, b)
  if a.created ~= b.created then return a.created < b.created end
  return bytewise(a.id, b.id)
end)
local evicted = {}
if limit > 0 then
  for i = 1, #others + 1 - limit do
    evicted[i] = others[i].id
    for f, r in pairs(all) do
      if r.id == others[i].id and r.ended == 0 then
        redis.call('HSET', key, f, ended(r, string.sub(row, 49, 56), ARGV[5]))
      end
    end
  end
end
redis.call('HSET', key, 'g', gen, field, row)
keep(tonumber(ARGV[4]))
return evicted
