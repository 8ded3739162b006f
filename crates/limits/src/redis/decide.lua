-- Decides all charges of one request at once: when one is refused, nothing is charged.
--
-- KEYS     one per state; charges of one key share its state
-- ARGV     the purpose, a number for it, and the charges, packed one behind the other: a script that reads numbers from
--          digits spends a fifth of its time on it. A charge is six doubles, little-endian: its kind (0 bucket, 1 sliding,
--          2 fixed), which of KEYS it is about (from 1), unit, capacity, cost and longest. A bucket counts nanoseconds
--          (unit: what one unit takes to come back, longest: what it may owe at most, whatever the factors of the requests
--          were), windows count units (unit: the window in microseconds).
--          take 0       charge
--          peek 0       as take, but charges nothing
--          give AGO     undo what was taken; the microseconds since the answer to it
--          lease LEAST  charge up to the cost of one key for later, at most a tenth of what is left, or nothing when that
--                       is below the least
--          return TIME  undo what was leased, by the time at which that was
-- replies  three numbers per charge, packed in the same way: microseconds to wait (0: admitted), units left,
--          microseconds until full; to a lease two more: the units granted and the time
--
-- A state is four numbers, packed as doubles:
--   bucket   when it was settled, the nanoseconds it owed then, 0. This is the theoretical arrival time of the generic
--            cell rate algorithm relative to the settling, so that nanoseconds fit a double
--   fixed    start, units of this window, 0
--   sliding  start, units of this window, units of the one before
-- and in each case the time until which its key lives at least. A key is given twice the life that it needs and a second,
-- and as long as it lives long enough only its bytes are written: that costs half of writing the key and its end anew.
--
-- The clock is Redis' own, in microseconds. Numbers are doubles, whole up to 2^53. Everything is in plain locals and
-- loops: a script runs from its first line each time, so every table, call and closure on the way is paid for again. Tables
-- are made with room for four: growing is an allocation each time.

local CHARGE, STATE, STANDING, LEASE = 'dddddd', '<dddd', '<ddd', '<dd'
local LARGEST, BUCKET, SLIDING, FIXED = 2 ^ 53, 0, 1, 2
local KEYS, ARGV, call = KEYS, ARGV, redis.call
local floor, ceil, format, pack, unpack =
  math.floor, math.ceil, string.format, struct.pack, struct.unpack

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local purpose, charges = ARGV[1], ARGV[3]
local takes, leases = purpose == 'take', purpose == 'lease'
local gives = purpose == 'give' or purpose == 'return'
local taken_at = purpose == 'return' and tonumber(ARGV[2]) or now - ARGV[2]

-- The state of each key, until when it lives, and whether settling moved it.
local at, used, before, lives, moved = {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, nil
for slot = 1, #KEYS do
  local text = call('GET', KEYS[slot])
  if text then
    local a, u, b, l
    if #text == 32 then a, u, b, l = unpack(STATE, text) end
    -- Whole numbers: nothing compares to what is none.
    if not (a and a >= 0 and a < 2 ^ 64 and a % 1 == 0
      and u >= 0 and u < 2 ^ 64 and u % 1 == 0
      and b >= 0 and b < 2 ^ 64 and b % 1 == 0
      and l >= 0 and l < 2 ^ 64 and l % 1 == 0) then
      error('the state of a limit is not what was written')
    end
    at[slot], used[slot], before[slot], lives[slot] = a, u, b, l
  else
    at[slot], used[slot], before[slot], lives[slot] = now, 0, 0, 0
  end
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
    return math.max(window - passed - floor(room * window / before[slot]), 1)
  end
  return math.max(2 * window - passed - floor((capacity - cost) * window / used[slot]), 1)
end

local function give(slot, kind, unit, cost)
  if kind == BUCKET or taken_at >= at[slot] then
    used[slot] = math.max(used[slot] - cost, 0)
  elseif kind == SLIDING and taken_at >= at[slot] - unit then
    before[slot] = math.max(before[slot] - cost, 0)
  end -- else it no longer counts
end

-- Each charge is six numbers from i on.
local last = #charges / 8
local c = {unpack('<' .. CHARGE:rep(last / 6), charges)}
local waits, granted = nil, 0
for i = 1, last, 6 do
  local kind, slot, unit, capacity, cost, longest = c[i], c[i + 1], c[i + 2], c[i + 3], c[i + 4], c[i + 5]

  -- Settle: drop what no longer counts, and bring a state that lies ahead of a clock that was set back to where the
  -- clock is, with what was counted.
  local since = now - at[slot]
  local moves = since < 0
  if kind == BUCKET then
    local owed = used[slot]
    if not moves then
      owed = owed - since * 1000
      if owed < 0 then owed = 0 end
    end
    if owed > longest then
      moves = true
      owed = longest
    end
    at[slot], used[slot] = now, owed
  elseif moves then
    at[slot] = now
  elseif kind == SLIDING and since >= unit and since < 2 * unit and used[slot] > 0 then
    moves = true
    at[slot], used[slot], before[slot] = at[slot] + unit, 0, used[slot]
  elseif since >= unit or used[slot] + before[slot] == 0 then
    moves = since > 0
    at[slot], used[slot], before[slot] = now, 0, 0
  end
  if moves then
    moved = moved or {}
    moved[slot] = true
  end

  local wait = 0
  if gives then
    give(slot, kind, unit, cost)
  elseif leases then
    local one = kind == BUCKET and unit or 1
    local room = capacity - (kind == BUCKET and used[slot] or weighted(slot, unit))
    granted = floor(math.min(cost, room / 10) / one)
    if granted * one < tonumber(ARGV[2]) then granted = 0 end
    used[slot] = used[slot] + granted * one
  elseif kind == BUCKET then
    local over = used[slot] + cost - capacity
    if over > 0 then wait = ceil(over / 1000) end
  elseif kind == FIXED then
    if used[slot] + cost > capacity then wait = at[slot] + unit - now end
  elseif weighted(slot, unit) + cost > capacity then
    wait = wait_sliding(slot, unit, capacity, cost)
  end
  if wait > 0 then
    waits = waits or {}
    waits[i] = wait < LARGEST and wait or LARGEST
  elseif takes then
    used[slot] = used[slot] + cost
  end
end

if waits and takes then
  for i = 1, last, 6 do
    local slot = c[i + 1]
    if not waits[i] then used[slot] = used[slot] - c[i + 4] end
  end
end

-- What settling has moved is kept also on a refusal: else, after the clock was set back, everything would be refused
-- until it is there again.
local reply, saves = '', purpose ~= 'peek' and not (takes and waits)
for i = 1, last, 6 do
  local kind, slot, unit, capacity = c[i], c[i + 1], c[i + 2], c[i + 3]
  local left, full
  if kind == BUCKET then
    left = floor((capacity - used[slot]) / unit)
    full = ceil(used[slot] / 1000)
  else
    left = capacity - weighted(slot, unit)
    full = 0
    if kind == SLIDING and used[slot] > 0 then
      full = at[slot] + 2 * unit - now
    elseif used[slot] + before[slot] > 0 then
      full = at[slot] + unit - now
    end
  end
  if left < 0 then left = 0 end
  if full > LARGEST then full = LARGEST end
  reply = reply .. pack(STANDING, waits and waits[i] or 0, left, full)

  if saves or takes and moved and moved[slot] then
    if lives[slot] >= now + full then
      call('SETRANGE', KEYS[slot], '0', pack(STATE, at[slot], used[slot], before[slot], lives[slot]))
    else
      local life = 2 * full + 1000000
      lives[slot] = now + life
      local state = pack(STATE, at[slot], used[slot], before[slot], lives[slot])
      call('SET', KEYS[slot], state, 'PX', format('%d', life / 1000 + 2))
    end
  end
end
if leases then reply = reply .. pack(LEASE, granted, now) end
return reply
