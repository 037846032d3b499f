local proxy

beforeEach(function() proxy = test.load "main.lua" end)

test("the front page says hello", function()
  local res = proxy:request(8000, { path = "/?whatever" })
  expect(res.status):equals(200)
  expect(res.body):equals("Hello\n")
end)

test("an echo is what was sent", function()
  local res = proxy:request(8000, { method = "POST", path = "/echo", body = "What was that?" })
  expect(res.body):equals("What was that?")
end)

test("all else is a 404 that names the path", function()
  local res = proxy:request(8000, { path = "/nothing?x=1" })
  expect(res.status):equals(404)
  expect(res.body):equals("There is no /nothing\n")
end)
