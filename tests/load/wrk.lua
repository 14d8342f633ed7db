-- Sends the requests of a file, one a line (method, path, token, caller, key, body; separated by tabs), in their order
-- and again from the start; `n` is added to each path where they shall all differ. Prints one line of JSON at the end.
local lines, number, differ = {}, 0, false

function init(args)
   for line in io.lines(args[1]) do
      local method, path, token, caller, key, body = line:match("^(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t(.*)$")
      local headers = { ["X-Caller"] = caller }
      if token ~= "" then headers["Authorization"] = "Bearer " .. token end
      if key ~= "" then headers["Idempotency-Key"] = key end
      if body ~= "" then headers["Content-Type"] = "application/json" end
      lines[#lines + 1] = { method, path, headers, body ~= "" and body or nil }
   end
   differ = args[2] ~= "0" and args[2] or false
end

function request()
   local line = lines[number % #lines + 1]
   number = number + 1
   local path = line[2]
   if differ then
      path = path .. (path:find("?", 1, true) and "&" or "?") .. "n=" .. differ .. number
   end
   return wrk.format(line[1], path, line[3], line[4])
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout
   ))
end
