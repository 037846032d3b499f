#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

/// Every default limit of the engine, each with its reason. Options of filters override those that name one.
namespace perilune::limits {

// A limit and its reason are a line of a table.
// clang-format off

// HTTP heads
inline constexpr size_t head_bytes_max = 64 * 1024;         // the largest cookies and tokens in use fit; more is abuse
inline constexpr size_t head_fields_max = 200;              // browsers send about 20, gateways add about as many
inline constexpr size_t request_line_bytes_max = 16 * 1024; // twice what browsers and common servers take
inline constexpr size_t chunk_line_bytes_max = 4 * 1024;    // chunk extensions are unused; room for odd senders
inline constexpr size_t interim_responses_max = 16;         // 1xx before an answer: 100, 103 and some; a flood is cut

// buffers
inline constexpr size_t chunk_bytes = 16 * 1024;            // one read of a typical head; 16 of them make a bulk read
inline constexpr size_t bulk_read_chunks = 16;              // 256 KiB a read: bulk throughput is flat beyond
inline constexpr size_t buffer_bytes_max = 256 * 1024;      // per direction: fills a 10 Gbit/s path with 0.2 ms delay
inline constexpr size_t collected_body_bytes_max = 1024 * 1024;  // whole bodies held for a script
inline constexpr size_t idle_chunks_max = 1024;             // 16 MiB of free chunks kept by a worker for reuse
inline constexpr size_t drain_bytes_max = 64 * 1024;        // what is read and dropped to keep a connection in step
inline constexpr size_t linger_bytes_max = 8 * 1024 * 1024;  // read after an error answer: what is in flight by then
inline constexpr size_t retry_body_bytes_max = 64 * 1024;   // body kept by reference for one retry

// connections and queues
inline constexpr size_t backlog = 4096;                     // bursts of new connections; the kernel caps it by somaxconn
inline constexpr size_t pipelined_requests_max = 64;        // requests of one client connection in flight; then it waits
inline constexpr size_t pool_queue_max = 1024;              // waiters for an upstream connection, per key
inline constexpr size_t pool_queue_total_max = 16384;       // waiters for resources of one pool, over all keys
inline constexpr size_t forwarded_hops_max = 32;            // entries of X-Forwarded-For that are looked at; paths have a few
inline constexpr size_t service_targets_max = 256;          // SRV records that are followed; each is two more questions
inline constexpr size_t target_addresses_max = 64;          // of one of their hosts; a host has one or two
inline constexpr size_t discovered_endpoints_max = 1000;    // of one DNS name: some times what any balancer is given
inline constexpr size_t spare_descriptors = 8;              // kept free when descriptors run out, for logs and scripts
inline constexpr Duration accept_pause = 100ms;             // how long accepting rests when descriptors or connections ran out
inline constexpr size_t descriptors_per_client = 2;         // its own and its upstream's: maxConnections is what that leaves
inline constexpr size_t clients_min = 4;                    // one client alone holds a quarter of maxConnections at most
inline constexpr Duration idle_age_min = 1s;                // younger idle connections do not give way to newcomers

inline constexpr size_t shared_bytes_max = 64 * 1024 * 1024;  // of one dictionary: some hundred thousand sessions or counters
inline constexpr size_t shared_bytes_min = 64 * 1024;       // less would hold no value of a few KB
inline constexpr size_t kept_bytes_max = 16 * 1024 * 1024;  // of one value of reload.keep: copying it takes some 10 ms
inline constexpr size_t old_versions_max = 32;              // of scripts, kept by tunnels: some MB; one more ends the oldest

// times
inline constexpr Duration head_timeout = 10s;               // a phone on a bad network needs 3 s for a head
inline constexpr Duration body_grace = 10s;                 // before a body's rate counts: time to change from cell to cell
inline constexpr size_t body_rate_min = 500;                // bytes a second after that; a phone at its worst sends 1000
inline constexpr size_t write_rate_min = 64;                // bytes a second over write_timeout; readers by the byte are none
inline constexpr Duration client_idle_timeout = 60s;        // what browsers and other proxies keep
inline constexpr Duration upstream_idle_timeout = 60s;      // at most what the common servers keep
inline constexpr Duration connect_timeout = 5s;             // three SYNs: 0, 1 and 3 s
inline constexpr Duration read_timeout = 60s;               // silence of an upstream that is asked something
inline constexpr Duration write_timeout = 60s;              // no progress at all in sending
inline constexpr Duration tunnel_idle_timeout = 1h;         // WebSockets are silent for long
inline constexpr Duration old_version_timeout = 1h;         // for downloads and tunnels of a script that was replaced
inline constexpr Duration reload_timeout = 10s;             // for all workers to load: a script that takes longer hangs
inline constexpr Duration load_time_max = 5s;               // the top of a file; then it is ended
inline constexpr int lost_loads_max = 4;                    // tries that are in a call of the library and do not come back
inline constexpr Duration watch_settle = 100ms;             // editors write several files, or one in several steps
inline constexpr Duration queue_timeout = 5s;               // longer than that a client has given up
inline constexpr Duration drain_timeout = 1s;               // for the rest of an answer nobody reads; a dial takes less
inline constexpr Duration linger_timeout = 1s;              // for the client to read an error answer before the close
inline constexpr Duration resolve_timeout = 5s;             // one retry of a DNS server at its usual 2 s
inline constexpr Duration discovery_ttl_min = 1s;           // DNS is not asked more often, whatever a TTL says
inline constexpr Duration discovery_ttl_max = 1h;           // nor less often: a TTL of a week is a slip, mostly
inline constexpr Duration discovery_retry_max = 30s;        // after failures, from 1 s on doubled; DNS is back in minutes
inline constexpr Duration discovery_grace = 60s;            // before an emptied DNS name counts: a bad zone is soon repaired

// clusters of upstreams
inline constexpr uint32_t cluster_connections_max = 1024;   // of all workers: a total protects descriptors, a limit per endpoint surprises
inline constexpr uint32_t cluster_idle_max = 256;           // of a worker: a quarter of what may be open waits for the next burst
inline constexpr Duration cluster_idle_timeout = 30s;       // an idle connection: less than common servers keep one
inline constexpr Duration cluster_connection_ttl = 1h;      // more or less a tenth, so that no herd reconnects: moved load is found
inline constexpr uint32_t ring_points_min = 1024;           // of the heaviest endpoint: its keys are even to about 3 %
inline constexpr uint32_t ring_points_max = 65536;          // of all: 64 full endpoints; 1 MB and some ms to build
inline constexpr uint32_t maglev_slots = 65537;             // a prime, a hundred times the endpoints of a large cluster
inline constexpr uint32_t overprovision_percent = 140;      // a level with 72 % of its endpoints healthy still takes all
inline constexpr uint32_t panic_percent = 50;               // fewer healthy than that: more likely the checks are wrong
inline constexpr uint32_t slow_start_percent_min = 10;      // of its weight at first: enough to warm a cache at all
inline constexpr uint32_t outlier_failures_max = 5;         // in a row; four by chance are common at 10 % errors
inline constexpr Duration outlier_interval = 10s;           // of success rates; and without ejection one is forgiven
inline constexpr Duration ejection_time = 30s;              // the first; a process restarts in less
inline constexpr Duration ejection_time_max = 300s;         // ten times that: a repaired endpoint is not lost for long
inline constexpr uint32_t ejected_percent_max = 10;         // of a cluster: the others must be able to take its load
inline constexpr uint32_t success_rate_endpoints_min = 5;   // of fewer a mean and a deviation say nothing
inline constexpr uint32_t success_rate_requests_min = 100;  // in an interval: one failure is a percent at most
inline constexpr double success_rate_deviations = 1.9;      // below the mean: 3 in 100 are, if all are alike
inline constexpr Duration health_interval = 5s;             // of checks: three failed ones are noticed within 15 s
inline constexpr Duration health_timeout = 2s;              // for a check's whole answer: one lost SYN is sent again after 1 s
inline constexpr uint32_t health_checks_max = 64;           // of a cluster at once: 160 dead endpoints are still asked every 5 s
inline constexpr uint32_t health_rise = 2;                  // checks passed in a row: one may be luck while it starts
inline constexpr uint32_t health_fall = 3;                  // checks failed in a row: one or two are lost packets
inline constexpr uint32_t retries_min = 3;                  // at once in a cluster, however few its requests
inline constexpr uint32_t retry_budget_percent = 20;        // of its requests: retries must not double an overload
inline constexpr Duration retry_backoff = 25ms;             // before the first retry at most: a blip, unnoticed by people
inline constexpr Duration retry_backoff_max = 250ms;        // ten times that: beyond, another answer is better
inline constexpr Duration retry_after_max = 5s;             // a client has given up by then, as in a queue
inline constexpr uint32_t preconnects_max = 3;              // connections opened for one event: spread, not a storm
inline constexpr uint32_t floor_failures_max = 3;           // connects failed in a row: the endpoint is down, wait
inline constexpr Duration demand_interval = 5s;             // how often half of the unneeded idle connections close
inline constexpr Duration idle_margin_min = 1s;             // under a server's idle timeout: a slow network's round trip
inline constexpr uint32_t idle_margin_percent = 10;         // and of a learned one: timers of servers are that coarse
inline constexpr Duration idle_evidence_min = 100ms;       // connections that end earlier end for another reason
inline constexpr Duration idle_recovery = 10min;            // until a learned timeout is doubted, and then doubled
inline constexpr Duration restart_window = 1s;              // a stopping server closes all it has within that

// turns
inline constexpr int turn_events_max = 256;                 // readiness events handled before the writes go out
inline constexpr Duration turn_time_max = 5ms;              // and the longest time they may take together
inline constexpr Duration worker_stop_timeout = 1s;         // for a worker to end after its drain or a second signal
inline constexpr Duration upkeep_interval = 2s;             // how often what pools keep and nobody needs is given back
inline constexpr uint16_t routes_max = 64;                  // pipelines that route goes on to, one from the other

// running it
inline constexpr Duration slow_turn = 1s;                   // of a worker: its clients notice, so it is reported
inline constexpr Duration slow_turn_look = 100ms;           // how often that is looked at
inline constexpr Duration slow_turn_patience = 200ms;       // for the script to show where it is; compiled code does not
inline constexpr size_t compiled_places_max = 8192;         // pieces of compiled code of a script that are told apart
inline constexpr Duration admin_worker_timeout = 1s;        // for a worker to say how it is; who does not is called silent
inline constexpr Duration admin_page_timeout = 30s;         // for a page of a script, which may ask its upstreams
inline constexpr Duration admin_command_timeout = 2min;     // for the answer to a command: many workers load in turn
inline constexpr size_t admin_connections_max = 64;         // of the admin address: collectors and some people
inline constexpr size_t admin_page_questions_max = 16;      // of pages of scripts at a time: the engine's own go on beside
inline constexpr size_t admin_questions_max = 64;           // that wait for an answer; each costs every worker a turn
inline constexpr size_t admin_pages_max = 100;              // of a script; what has more is a service and has a listen
inline constexpr size_t admin_page_bytes_max = 16 * 1024 * 1024; // of a page, which is copied from one thread to another
inline constexpr Duration admin_drain = 500ms;              // for its last answers when the process ends

// metrics
inline constexpr size_t metrics_max = 500;                  // of a worker by name: a page people can still read
inline constexpr size_t metric_series_max = 10000;          // of a worker in all: about 1 MB of text a scrape
inline constexpr size_t metric_labels_max = 16;             // of one metric; series multiply with each
inline constexpr size_t metric_label_bytes_max = 256;       // of one value of a label; the rest is cut
inline constexpr size_t metric_buckets_max = 100;           // of one histogram; each is a series for who collects

// scripts
inline constexpr size_t pooled_coroutines_max = 4096;       // idle ones kept for reuse, about 1 KiB each
inline constexpr size_t library_bytes = 512 * 1024;         // of a Lua state, taken at once: what the library needs
inline constexpr size_t garbage_bytes_min = 512 * 1024;     // let lie before a small Lua heap is collected: a cache's worth
inline constexpr size_t garbage_body_bytes_min = 256 * 1024; // and of what garbage Messages hold outside that heap
inline constexpr size_t url_parameters_max = 256;           // of a query or a Cookie field; hash tables of strangers' keys
inline constexpr size_t json_depth_max = 64;                // nesting of JSON, both ways; real documents stay under 20
inline constexpr size_t file_bytes_max = 64 * 1024 * 1024;  // a file that a script reads whole, into the Lua heap
inline constexpr size_t log_record_bytes_max = 4096;        // one write that a pipe takes whole (PIPE_BUF)
inline constexpr size_t access_field_bytes_max = 4096;      // of a path or field in an access log; the rest is cut
inline constexpr size_t line_bytes_max = 4 * 1024 * 1024;   // access log lines that wait for a slow disk or reader
inline constexpr size_t log_places_max = 1024;              // places whose records are counted for the rate limit

// tests of scripts
inline constexpr Duration test_time_max = 1h;               // of virtual time beside test.advance: no proxy waits that long
inline constexpr Duration test_real_time_max = 60s;         // of one test: a thousand times what one takes
inline constexpr size_t test_body_bytes_max = 64 * 1024 * 1024; // that a client or upstream of a test holds at once
inline constexpr size_t test_log_bytes_max = 256 * 1024;    // kept for the case that the test fails; the rest is dropped
inline constexpr size_t test_trace_events_max = 10000;      // the last ones are kept; an exchange has about 30
inline constexpr size_t test_trace_lines_max = 60;          // shown of a failed test: two screens
inline constexpr uint32_t chaos_seeds = 200;                // of test.chaos: about as many seconds as a coffee
inline constexpr Duration chaos_patience = 10min;           // until a request counts as lost: ten times any timeout

// clang-format on

}  // namespace perilune::limits
