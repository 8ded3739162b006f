-- Sends requests at a pace, and says as one line of JSON what became of them.
-- Arguments: `get` or `login`; how long each connection rests between two requests, in milliseconds on average.

require("summary")

function init(args)
  kind, rest = args[1], tonumber(args[2])
  math.randomseed(os.time())
end

function delay()
  return math.random(0, 2 * rest)
end

function request()
  if kind == "get" then
    return wrk.format("GET", "/")
  end
  local number = math.random(1, 2 ^ 30)
  local address = string.format("10.%d.%d.%d", math.random(0, 255), math.random(0, 255), math.random(1, 254))
  local headers = { ["Content-Type"] = "application/json", ["X-Forwarded-For"] = address }
  local body = string.format('{"email":"nobody-%d@shop.test","password":"a wrong password %d"}', number, number)
  return wrk.format("POST", "/auth/login", headers, body)
end
