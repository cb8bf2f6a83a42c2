-- Take the oldest message of the first list that has one, and note it before it leaves its list.
-- KEYS: the hash of notes, then the lists in the order in which they are looked into.
-- ARGV: the process that takes it.
-- Returns the list's position, from 0, and the message; false when all lists are empty.
for position = 2, #KEYS do
  local message = redis.call('LINDEX', KEYS[position], -1)
  if message then
    -- The tag that counts is the last one: properties come after headers.
    local tag = string.match(message, '.*"delivery_tag": *"([^"]+)"')
    if tag and string.find(message, '"task":', 1, true) then
      local from = redis.call('TIME')[1] .. ' ' .. ARGV[1] .. ' ' .. #KEYS[position] .. ' ' .. KEYS[position]
      redis.call('HSET', KEYS[1], tag, from .. message)
    end
    redis.call('RPOP', KEYS[position])
    return {position - 2, message}
  end
end
return false
