-- Arguments: a path with %d, and how many values it takes; without them every request is the URL's.

function init (args)
  local path, paths = args[1] or '', tonumber(args[2] or '0')
  if paths == 0 then return end
  local requests, last = {}, 0
  for i = 1, paths do requests[i] = wrk.format(nil, (path:gsub('%%d', tostring(i - 1)))) end
  request = function ()
    last = last % paths + 1
    return requests[last]
  end
end

function done (summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"bytes":%d,"durationUs":%d,"p99Us":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.bytes, summary.duration, latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
