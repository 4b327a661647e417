-- drop: forgets a key of another generation.
if stale(key) then return redis.call('UNLINK', key) end
return 0
