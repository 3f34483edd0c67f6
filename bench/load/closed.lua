-- wrk sends one fixed request, and prints one JSON object at its end. The request comes in by the environment,
-- so that no key stands on a command line.
wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
for line in os.getenv("BENCH_HEADERS"):gmatch("[^\n]+") do
  local name, value = line:match("^(.-): (.*)$")
  wrk.headers[name] = value
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'JSON{"requests":%d,"seconds":%.6f,"errors":%d,"timeouts":%d,"p50_us":%.1f,"p99_us":%.1f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status, e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
