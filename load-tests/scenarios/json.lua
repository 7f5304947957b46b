-- What wrk sends to model servers: the JSON in the file that BODY names to the path in TARGET, and at the end one line of JSON for the
-- instrument to read.
local file = assert(io.open(os.getenv("BODY")))
wrk.method = "POST"
wrk.path = os.getenv("TARGET")
wrk.headers["content-type"] = "application/json"
wrk.body = file:read("*a")
file:close()

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"micros":%d,"failures":%d,"p50":%d,"p99":%d,"p999":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
