-- What wrk sends: one 80-byte JSON POST, and at the end one line of JSON for the instrument to read.
wrk.method = "POST"
wrk.path = "/v2/models/digits/infer"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[0.5,1.5,2.5,3]}]}'

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"micros":%d,"failures":%d,"p50":%d,"p99":%d,"p999":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
