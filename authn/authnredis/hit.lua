-- Counts one try. KEYS[1] is the window, ARGV are now and the end of a window that would begin
-- now, in Unix microseconds, and how long the key is kept, in milliseconds.
local w = redis.call('HMGET', KEYS[1], 'n', 'ends')
if not w[1] or not w[2] or tonumber(w[2]) <= tonumber(ARGV[1]) then
	redis.call('HSET', KEYS[1], 'n', 1, 'ends', ARGV[2])
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
	return {'1', ARGV[2]}
end
return {tostring(redis.call('HINCRBY', KEYS[1], 'n', 1)), w[2]}
