-- finish: name, new stamp.
if stale(key) then return redis.error_reply('STALE') end
redis.call('HDEL', key, 'w' .. ARGV[1], 's')
if redis.call('HLEN', key) <= 1 then redis.call('HSET', key, 'g', gen, 's', ARGV[2]) end
return 1
