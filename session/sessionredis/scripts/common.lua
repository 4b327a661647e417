-- Every script begins with this, after a line that sets gen, the generation it belongs to.
--
-- A person's key is a hash: g is its generation; "s" and the SHA-256 of a token is a row;
-- "p", a hash and a tenant is a proof. A row begins with what scripts read and change, seven
-- big-endian 64-bit numbers (last seen, idle end, end, ended, locked, version, created; times
-- in microseconds, 0 for none), "1" if superseded or "0", the id with its length in 16 bits,
-- the reason with its length in 8 bits; the rest is for Go.
local key = KEYS[1]

local function stale(k)
  local g = redis.call('HGET', k, 'g')
  return g and g ~= gen
end

local function parse(v)
  local r = {v = v}
  r.seen, r.idle, r.ends, r.ended, r.locked, r.version, r.created, r.sup, r.n =
    struct.unpack('>I8I8I8I8I8I8I8c1I2', v)
  r.id = string.sub(v, 60, 59 + r.n)
  return r
end

local function number(s) return (struct.unpack('>I8', s)) end

local function live(r, at) return r.ended == 0 and at < r.idle and at < r.ends end

-- ended returns the row's text with its end.
local function ended(r, at, reason)
  local old = string.byte(r.v, 60 + r.n)
  return string.sub(r.v, 1, 24) .. at .. string.sub(r.v, 33, 59 + r.n) ..
    string.char(#reason) .. reason .. string.sub(r.v, 61 + r.n + old)
end

-- rows returns the person's rows by field.
local function rows()
  local all, found = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 1) == 's' then found[all[i]] = parse(all[i + 1]) end
  end
  return found
end

-- tidy forgets rows that reached their end before, proofs that are over, and of the rows that
-- are not live all but the 64 that were live last. It returns the rows that are left.
local function tidy(at)
  local all, found, past = redis.call('HGETALL', key), {}, {}
  for i = 1, #all, 2 do
    local f, kind = all[i], string.sub(all[i], 1, 1)
    if kind == 'p' then
      if number(all[i + 1]) <= at then redis.call('HDEL', key, f) end
    elseif kind == 's' then
      local r = parse(all[i + 1])
      if r.ends < at then
        redis.call('HDEL', key, f)
      else
        found[f] = r
        if not live(r, at) then
          past[#past + 1] = {f, r.ended ~= 0 and r.ended or math.min(r.idle, r.ends)}
        end
      end
    end
  end
  if #past > 64 then
    table.sort(past, function(a, b) return a[2] > b[2] end)
    for i = 65, #past do
      redis.call('HDEL', key, past[i][1])
      found[past[i][1]] = nil
    end
  end
  return found
end

local function selected(r, id, except)
  return (id == '' or r.id == id) and (except == '' or r.id ~= except)
end

-- keep lets the key last for so many milliseconds at least.
local function keep(ttl)
  if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, ttl) end
end
