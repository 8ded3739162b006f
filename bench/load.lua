-- Sends one request again and again, and says as one line of JSON what became of it.
-- Argument: a file with the request as it goes over the wire, but for its line ends and its `Content-Length`.

require("summary")

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local head, body = file:read("*a"):match("^(.-)\n\n(.*)$")
  file:close()
  local line, fields = head:match("^([^\n]*)\n?(.*)$")
  wrk.method, wrk.path = line:match("^(%S+) (%S+)")
  for name, value in fields:gmatch("([^:\n]+): ([^\n]*)") do
    wrk.headers[name] = value
  end
  body = body:gsub("\n$", "")
  if body ~= "" then
    wrk.body = body
  end
end
