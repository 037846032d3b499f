local proxy

beforeEach(function() proxy = test.load "choice.lua" end)

test("what is not public wants a key", function()
  expect(proxy:request(8000, "/private").status):equals(401)
  expect(proxy:request(8000, "/public/").status):equals(401)
  expect(proxy:request(8000, { path = "/private", headers = { ["x-key"] = "guessed" } }).status):equals(401)
  expect(proxy:request(8000, { path = "/private", headers = { ["x-key"] = "a-key-for-ann" } }).status):equals(200)
end)

test("what is public wants none", function()
  expect(proxy:request(8000, "/public").body):equals("Welcome\n")
end)
