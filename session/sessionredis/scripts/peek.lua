-- peek: the stamp of a tenant's policy, none if it has to be asked for.
local p = redis.call('HMGET', key, 'g', 's')
if p[1] == gen and p[2] then return p[2] end
return ''
