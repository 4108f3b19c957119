/** Scripts that run in Redis: each is one step that nothing comes between. */

/**
 * Keeps a variant and puts it into the set of each of its tags. A set that is full loses a member,
 * and with it that variant: what a purge would not find must not be there.
 * KEYS: the variant's, those of the sets. ARGV: record, milliseconds to live, members of a set.
 */
export const keepScript = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for i = 2, #KEYS do
  redis.call('SADD', KEYS[i], KEYS[1])
  redis.call('PEXPIRE', KEYS[i], ARGV[2])
  if redis.call('SCARD', KEYS[i]) > tonumber(ARGV[3]) then
    redis.call('UNLINK', redis.call('SPOP', KEYS[i]))
  end
end
return 1`

/** Removes all variants of a tag. KEYS: the set's. Gives how many there were. */
export const forgetScript = `
local found = 0
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found = found + redis.call('UNLINK', key)
end
redis.call('UNLINK', KEYS[1])
return found`

/** Gives the variant, or 1 to who gets the lease, or 0. KEYS: the variant's, the lease's. ARGV: token, milliseconds. */
export const claimScript = `
local record = redis.call('GET', KEYS[1])
if record then return record end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0`

/** Makes a lease longer, if it is still its holder's. KEYS: the lease's. ARGV: token, milliseconds. */
export const renewScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`

/** Ends a lease, if it is still its holder's. KEYS: the lease's. ARGV: token. */
export const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('UNLINK', KEYS[1]) end
return 0`

/**
 * The state of all purges. Where Redis has none, or lost a part, a new epoch begins, in which everything is purged.
 * KEYS: position, marks, instances. ARGV: an epoch that was never used, this instance, the position it knows, milliseconds after which one is dead.
 * Gives the position, and the marks where they are not known.
 */
export const syncScript = `
local at = redis.call('GET', KEYS[1])
if not at or redis.call('HGET', KEYS[2], '') ~= string.match(at, '^[^:]+') then
  at = ARGV[1] .. ':0'
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], '', ARGV[1])
  redis.call('SET', KEYS[1], at)
end
local now = redis.call('TIME')[1]
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[2], now .. ' ' .. ARGV[3])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
if at == ARGV[3] then return {at} end
return {at, redis.call('HGETALL', KEYS[2])}`

/**
 * Writes a purge down. With too many, a new epoch begins.
 * KEYS: position, marks. ARGV: an epoch that was never used, tag, the most marks, channel.
 * Gives the position.
 */
export const purgeScript = `
local at = redis.call('GET', KEYS[1])
local epoch = at and string.match(at, '^[^:]+')
local count = at and tonumber(string.match(at, ':(%d+)$')) or 0
if not epoch or redis.call('HGET', KEYS[2], '') ~= epoch or redis.call('HLEN', KEYS[2]) > tonumber(ARGV[3]) then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], '', epoch)
end
count = count + 1
redis.call('HSET', KEYS[2], ARGV[2], count)
at = epoch .. ':' .. count
redis.call('SET', KEYS[1], at)
redis.call('PUBLISH', ARGV[4], at)
return at`

/**
 * The instances that live and do not know a position yet; the dead are removed.
 * KEYS: instances. ARGV: the position, seconds after which one is dead.
 */
export const behindScript = `
local behind = {}
local now = tonumber(redis.call('TIME')[1])
local wantedEpoch, wanted = string.match(ARGV[1], '^([^:]+):(%d+)$')
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local seen, epoch, count = string.match(all[i + 1], '^(%d+) ([^:]*):?(%d*)$')
  if not seen or now - tonumber(seen) > tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[1], all[i])
  elseif epoch ~= wantedEpoch or tonumber(count) < tonumber(wanted) then
    behind[#behind + 1] = all[i]
  end
end
return behind`
