-- Sends one request again and again, and says as one line of JSON what became of it.
-- Argument: a file with the request as it goes over the wire, but for its line ends and its `Content-Length`.

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

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
