#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/admin_address.hpp"
#include "app/gathering.hpp"
#include "app/loop_link.hpp"
#include "app/main_queue.hpp"
#include "app/process_record.hpp"
#include "app/worker_report.hpp"
#include "app/worker_thread.hpp"
#include "script/admin_host.hpp"

namespace perilune::app {

/// Answers what the admin address is asked, in the thread that serves it: from what is known of the process,
/// from the workers, who are asked in their loops and called silent when they do not answer in time, and by
/// the main thread, which does what is ordered.
class AdminDesk final : public script::AdminHost {
 public:
  using WorkerReports = Gathering<WorkerReport>::Answers;
  struct Parts {
    const AdminAddress& address;
    const std::vector<std::unique_ptr<WorkerThread>>& workers;
    ProcessRecord& record;
    MainQueue& main;
    const edge::ConnectionCounts& counts;
    const upstream::ClusterBoard& clusters;
    const algo::SharedDictionaries& dictionaries;
    /// Both are called in the main thread.
    std::function<ReloadReport()> reload;
    /// What the stop waits for, in words.
    std::function<std::string()> stop;
  };
  explicit AdminDesk(Parts parts);
  ~AdminDesk();

  /// To be called before the first question, by the thread whose loop it is.
  void open(loop::Loop& loop);
  /// The loop is about to end: what workers and the main thread still answer is dropped.
  void close();

  void ask(const std::string& what, std::string argument, Answer answer) override;
  bool allows(std::string_view authorization) const override;
  std::string address() const override { return parts_.address.address.to_string(); }

 private:
  /// Worked off by workers yet; one that hangs is asked no more after some.
  using Open = std::atomic<size_t>;

  void answer_now(const Answer& answer, Result<std::string> text);
  void gather(Wanted wanted, std::function<void(WorkerReports)> done);
  void ask_for_page(std::string argument, Answer answer);
  void answer_page(uint64_t number, const Result<std::string>& result);
  void order_reload(Answer answer);
  void order_stop(Answer answer);
  std::string graph_of(const WorkerReports& reports) const;

  const Parts parts_;
  loop::Loop* loop_ = nullptr;
  std::shared_ptr<LoopLink> link_;
  std::vector<std::shared_ptr<Open>> open_questions_;  // of each worker
  /// Those that are not over; workers know them by number, for they may answer to one that is.
  std::map<uint64_t, std::unique_ptr<Gathering<WorkerReport>>> gatherings_;
  uint64_t gatherings_made_ = 0;
  struct PageQuestion;
  std::map<uint64_t, std::unique_ptr<PageQuestion>> page_questions_;
  uint64_t page_questions_made_ = 0;
  size_t open_orders_ = 0;
  std::vector<stats::Snapshot> last_metrics_;  // of each worker
};

}  // namespace perilune::app
