-- Sends the requests of a pool file (bench/load/requests.py), each with the number of the call.
-- wrk ... -s wrk.lua URL -- POOL_FILE FIRST_NUMBER

local heads, tails, count, number = {}, {}, 0, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  number = tonumber(args[2])
  while true do
    local head_bytes, tail_bytes = file:read("*n", "*n")
    if not head_bytes then break end
    file:read(1) -- the line feed
    count = count + 1
    heads[count] = file:read(head_bytes)
    tails[count] = file:read(tail_bytes)
  end
  file:close()
end

function request()
  number = number + 1
  local at = number % count + 1
  return heads[at] .. number .. tails[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n@{"calls":%d,"duration_us":%d,"connect_errors":%d,"read_errors":%d,"write_errors":%d,' ..
    '"status_errors":%d,"timeouts":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.requests, summary.duration, errors.connect, errors.read, errors.write,
    errors.status, errors.timeout, latency:percentile(50), latency:percentile(99)))
end
