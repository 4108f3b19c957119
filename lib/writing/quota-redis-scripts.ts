/*
 * Scripts that count in Redis what is kept of a mount: each is one step that nothing comes between. They mean what
 * `MountLedger` does. KEYS: files, sums, holds, gone. A file is its bytes and, behind a space, its owner: `=` and the
 * name, or `-` where it is nobody's.
 */

const common = `
local files, sums, holds, gone = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole (number) return string.format('%.0f', number + 0) end -- never -0
local function fileAt (key)
  local value = redis.call('HGET', files, key)
  if not value then return nil end
  local bytes, owner = string.match(value, '^(%d+) (.*)$')
  return tonumber(bytes), owner
end
local function add (bytes, owner, sign)
  redis.call('HINCRBY', sums, 'bytes', whole(sign * bytes))
  redis.call('HINCRBY', sums, 'files', sign)
  if owner == '-' then return end
  redis.call('HINCRBY', sums, 'bytes' .. owner, whole(sign * bytes))
  if redis.call('HINCRBY', sums, 'files' .. owner, sign) == 0 then redis.call('HDEL', sums, 'files' .. owner, 'bytes' .. owner) end
end
local function remove (key)
  local bytes, owner = fileAt(key)
  if not bytes then return end
  redis.call('HDEL', files, key)
  add(bytes, owner, -1)
end
local function put (key, bytes, owner)
  remove(key)
  redis.call('HSET', files, key, whole(bytes) .. ' ' .. owner)
  add(bytes, owner, 1)
end
local function isCounted () return redis.call('HEXISTS', sums, 'counted') == 1 end
`

/**
 * Sets room aside. ARGV: id, `=` and the key or `-`, bytes, principal, milliseconds after which it is free, then four
 * limits, -1 for none: bytes and files of the mount, of the principal. Gives `''`, `uncounted`, or the limit: `mount bytes`.
 */
export const takeScript = `${common}
if not isCounted() then return 'uncounted' end
local own = { id = ARGV[1], key = ARGV[2], bytes = tonumber(ARGV[3]), owner = '=' .. ARGV[4] }
local all, before = {}, nil
local stored = redis.call('HGETALL', holds)
for i = 1, #stored, 2 do
  local until_, bytes, length, rest = string.match(stored[i + 1], '^(%d+) (%d+) (%d+) (.*)$')
  if tonumber(until_) < now then
    redis.call('HDEL', holds, stored[i])
  else
    local hold = { id = stored[i], bytes = tonumber(bytes), owner = string.sub(rest, 1, length), key = string.sub(rest, length + 1) }
    if hold.id == own.id then before = hold else all[#all + 1] = hold end
  end
end
local function needed (extra, owner)
  local largest = {}
  local function see (hold)
    if not hold or (owner and hold.owner ~= owner) then return end
    local place = hold.key == '-' and '-' .. hold.id or hold.key
    largest[place] = math.max(largest[place] or 0, hold.bytes)
  end
  for _, hold in ipairs(all) do see(hold) end
  see(extra)
  local bytes, count = 0, 0
  for place, most in pairs(largest) do
    local kept, keptBy = nil, nil
    if string.sub(place, 1, 1) == '=' then kept, keptBy = fileAt(string.sub(place, 2)) end
    if kept and owner and keptBy ~= owner then kept = nil end
    bytes = bytes + math.max(0, most - (kept or 0))
    if not kept then count = count + 1 end
  end
  return { bytes = bytes, files = count }
end
local names = { { 'mount', 'bytes', nil }, { 'mount', 'files', nil }, { 'principal', 'bytes', own.owner }, { 'principal', 'files', own.owner } }
for i, name in ipairs(names) do
  local limit = tonumber(ARGV[5 + i])
  if limit >= 0 then
    local needs = needed(own, name[3])[name[2]]
    local kept = tonumber(redis.call('HGET', sums, name[2] .. (name[3] or '')) or 0)
    if needs > needed(before, name[3])[name[2]] and kept + needs > limit then return name[1] .. ' ' .. name[2] end
  end
end
redis.call('HSET', holds, own.id, whole(now + ARGV[5]) .. ' ' .. whole(own.bytes) .. ' ' .. #own.owner .. ' ' .. own.owner .. own.key)
return ''`

/** Keeps room for those who are there. ARGV: milliseconds, ids. */
export const renewScript = `
local time = redis.call('TIME')
local until_ = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
for i = 2, #ARGV do
  local value = redis.call('HGET', KEYS[3], ARGV[i])
  if value then redis.call('HSET', KEYS[3], ARGV[i], until_ .. string.match(value, '^%d+( .*)$')) end
end
return 1`

/** Room became a file. ARGV: id, key, bytes, principal. */
export const settleScript = `${common}
redis.call('HDEL', holds, ARGV[1])
redis.call('HDEL', gone, ARGV[2])
put(ARGV[2], tonumber(ARGV[3]), '=' .. ARGV[4])
return 1`

/** Room is not needed. ARGV: id. */
export const releaseScript = `
redis.call('HDEL', KEYS[3], ARGV[1])
return 1`

/** A file is gone. ARGV: key. */
export const removeScript = `${common}
if not isCounted() then redis.call('HSET', gone, ARGV[1], 1) end
remove(ARGV[1])
return 1`

/** A file has another key. ARGV: key, new key. */
export const moveScript = `${common}
local bytes, owner = fileAt(ARGV[1])
if not isCounted() then redis.call('HSET', gone, ARGV[1], 1) end
if not bytes then return 1 end
remove(ARGV[1])
redis.call('HDEL', gone, ARGV[2])
put(ARGV[2], bytes, owner)
return 1`

/** What was there before. ARGV: key, bytes, and so on. Gives 0 where all are known already. */
export const foundScript = `${common}
if isCounted() then return 0 end
for i = 1, #ARGV, 2 do
  if redis.call('HEXISTS', files, ARGV[i]) == 0 and redis.call('HEXISTS', gone, ARGV[i]) == 0 then put(ARGV[i], tonumber(ARGV[i + 1]), '-') end
end
return 1`

/** All is known. */
export const countedScript = `
redis.call('HSET', KEYS[2], 'counted', 1)
redis.call('DEL', KEYS[4])
return 1`
