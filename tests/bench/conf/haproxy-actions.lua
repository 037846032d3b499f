-- The actions of haproxy-headers-lua.cfg, for the Lua inside HAProxy.
-- luacheck: read globals core

core.register_action("request", { "http-req" }, function(txn)
  txn:set_var("txn.target", txn.f:path():sub(1, 4) == "/hi/" and "b" or "a")
  txn.http:req_set_header("X-Via", "bench")
end)

core.register_action("response", { "http-res" }, function(txn)
  txn.http:res_set_header("X-Served-By", "bench")
end)
