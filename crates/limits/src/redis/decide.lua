-- Decides all charges of one request at once: when one is refused, nothing is charged.
--
-- KEYS     one per charge
-- ARGV     the purpose and a number for it, then five per charge: kind, unit, capacity, cost, longest. A bucket counts
--          nanoseconds (unit: what one unit takes to come back, longest: what it may owe at most, whatever the factors of
--          the requests were), windows count units (unit: the window in microseconds).
--          take 0       charge
--          peek 0       as take, but charges nothing
--          give AGO     undo what was taken; the microseconds since the answer to it
--          lease LEAST  charge up to the cost of one key for later, at most a tenth of what is left, or nothing when that
--                       is below the least
--          return TIME  undo what was leased, by the time at which that was
-- replies  three integers per charge: microseconds to wait (0: admitted), units left, microseconds until full; to a lease
--          two more: the units granted and the time
--
-- A state is three numbers, packed as doubles, which takes a third of the time that digits take:
--   bucket   when it was settled, the nanoseconds it owed then, 0. This is the theoretical arrival time of the generic
--            cell rate algorithm relative to the settling, so that nanoseconds fit a double
--   fixed    start, units of this window, 0
--   sliding  start, units of this window, units of the one before
--
-- The clock is Redis' own, in microseconds. Numbers are doubles, whole up to 2^53. Everything is in plain locals and
-- loops: a script runs from its first line each time, so every table and closure on the way is paid for again.

local LARGEST = 2 ^ 53
local KEYS, ARGV = KEYS, ARGV
local call, number, floor, ceil, max, min =
  redis.call, tonumber, math.floor, math.ceil, math.max, math.min
local pack_state, unpack_state = struct.pack, struct.unpack

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local purpose, granted = ARGV[1], 0
local taken_at = purpose == 'return' and number(ARGV[2]) or now - ARGV[2]

local at, used, before = {}, {}, {} -- the states; charges of one key share that of the first
local slots, slot_of = {}, {} -- which state a charge uses, and a key
local moved, waits, refused = {}, {}, false

-- What a state is made of. Nothing compares to what is not a number.
local function is_whole(value)
  return value and value >= 0 and value < 2 ^ 64 and floor(value) == value
end

-- The units of a sliding window that count now: the previous window by the share of it that is still covered.
local function weighted(slot, window)
  if before[slot] == 0 then return used[slot] end
  return ceil(before[slot] * (window - (now - at[slot])) / window) + used[slot]
end

-- How long until the cost fits a sliding window in which it does not fit now.
local function wait_sliding(slot, window, capacity, cost)
  local passed, room = now - at[slot], capacity - cost - used[slot]
  if room >= 0 then -- enough of the previous window leaves before this one is over
    return max(window - passed - floor(room * window / before[slot]), 1)
  end
  return max(2 * window - passed - floor((capacity - cost) * window / used[slot]), 1)
end

local function give(slot, kind, unit, cost, taken_at)
  if kind == 'bucket' or taken_at >= at[slot] then
    used[slot] = max(used[slot] - cost, 0)
  elseif kind == 'sliding' and taken_at >= at[slot] - unit then
    before[slot] = max(before[slot] - cost, 0)
  end -- else it no longer counts
end

for i = 1, #KEYS do
  local key, a = KEYS[i], 5 * i - 2
  local kind, unit, capacity, cost =
    ARGV[a], number(ARGV[a + 1]), number(ARGV[a + 2]), number(ARGV[a + 3])

  local slot = slot_of[key]
  if not slot then
    slot = i
    slot_of[key] = i
    local text = call('GET', key)
    if text then
      if #text == 24 then at[i], used[i], before[i] = unpack_state('<ddd', text) end
      if not (is_whole(at[i]) and is_whole(used[i]) and is_whole(before[i])) then
        error('the state of a limit is not what was written')
      end
    else
      at[i], used[i], before[i] = now, 0, 0
    end
  end
  slots[i] = slot

  -- Settle: drop what no longer counts, and bring a state that lies ahead of a clock that was set back to where the
  -- clock is, with what was counted.
  local since = now - at[slot]
  if kind == 'bucket' then
    local owed = max(used[slot] - max(since, 0) * 1000, 0)
    moved[i] = since < 0
    if owed > capacity then -- else there is no need to know
      local longest = number(ARGV[a + 4])
      moved[i] = moved[i] or owed > longest
      owed = min(owed, longest)
    end
    at[slot], used[slot] = now, owed
  elseif since < 0 then
    moved[i] = true
    at[slot] = now
  elseif kind == 'sliding' and since >= unit and since < 2 * unit and used[slot] + before[slot] > 0 then
    moved[i] = true
    at[slot], used[slot], before[slot] = at[slot] + unit, 0, used[slot]
  elseif since >= unit or used[slot] + before[slot] == 0 then
    moved[i] = since > 0
    at[slot], used[slot], before[slot] = now, 0, 0
  end

  local wait = 0
  if purpose == 'give' or purpose == 'return' then
    give(slot, kind, unit, cost, taken_at)
  elseif purpose == 'lease' then
    local one = kind == 'bucket' and unit or 1
    local room = capacity - (kind == 'bucket' and used[slot] or weighted(slot, unit))
    granted = floor(min(cost, room / 10) / one)
    if granted * one < number(ARGV[2]) then granted = 0 end
    used[slot] = used[slot] + granted * one
  elseif kind == 'bucket' then
    wait = max(ceil((used[slot] + cost - capacity) / 1000), 0)
  elseif kind == 'fixed' then
    if used[slot] + cost > capacity then wait = at[slot] + unit - now end
  elseif weighted(slot, unit) + cost > capacity then
    wait = wait_sliding(slot, unit, capacity, cost)
  end
  waits[i] = wait
  if wait > 0 then
    refused = true
  elseif purpose == 'take' then
    used[slot] = used[slot] + cost
  end
end

if refused and purpose == 'take' then
  for i = 1, #KEYS do
    if waits[i] == 0 then used[slots[i]] = used[slots[i]] - ARGV[5 * i + 1] end
  end
end

local reply = {}
for i = 1, #KEYS do
  local slot, a = slots[i], 5 * i - 2
  local kind, unit, capacity = ARGV[a], number(ARGV[a + 1]), number(ARGV[a + 2])

  local left, full
  if kind == 'bucket' then
    left = floor((capacity - used[slot]) / unit)
    full = ceil(used[slot] / 1000)
  else
    left = capacity - weighted(slot, unit)
    full = 0
    if kind == 'sliding' and used[slot] > 0 then
      full = at[slot] + 2 * unit - now
    elseif used[slot] + before[slot] > 0 then
      full = at[slot] + unit - now
    end
  end
  full = min(full, LARGEST)
  reply[3 * i - 2], reply[3 * i - 1], reply[3 * i] = min(waits[i], LARGEST), max(left, 0), full

  -- What settling has moved is kept also on a refusal: else, after the clock was set back, everything would be
  -- refused until it is there again.
  if purpose ~= 'peek' and (purpose ~= 'take' or moved[i] or not refused) then
    local state = pack_state('<ddd', at[slot], used[slot], before[slot])
    call('SET', KEYS[i], state, 'PX', floor(full / 1000) + 2)
  end
end
if purpose == 'lease' then
  reply[#reply + 1], reply[#reply + 2] = granted, now
end
return reply
