-- begin: name, version. From now on there is no stamp, until all who save have finished.
if stale(key) then return redis.error_reply('STALE') end
redis.call('HSET', key, 'g', gen, 'w' .. ARGV[1], ARGV[2])
redis.call('HDEL', key, 's')
return 1
