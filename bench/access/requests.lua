-- Argument: a file of whole requests, which are sent in turn.

dofile(debug.getinfo(1, 'S').source:match('^@(.*)access/requests%.lua$') .. 'lib/wrk.lua')

function init (args)
  local requests, last = {}, 0
  for message in io.open(args[1], 'rb'):read('*a'):gmatch('(.-\r\n\r\n)') do requests[#requests + 1] = message end
  request = function ()
    last = last % #requests + 1
    return requests[last]
  end
end
