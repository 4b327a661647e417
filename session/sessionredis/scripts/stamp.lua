-- stamp: the stamp of a tenant's policy, the one given where there is none yet; none while
-- somebody saves. A tenant's key is a hash: g is its generation, s the stamp, and "w" and a
-- random name is somebody who saves, with the version that would come of it.
if stale(key) then return redis.error_reply('STALE') end
local s = redis.call('HGET', key, 's')
if s then return s end
if redis.call('HLEN', key) > 1 then return '' end
redis.call('HSET', key, 'g', gen, 's', ARGV[1])
return ARGV[1]
