#include "app/admin_desk.hpp"

#include <algorithm>

#include "app/admin_texts.hpp"
#include "base/text.hpp"

namespace perilune::app {
namespace {

Error sentence(std::string text) { return {ErrorCode::Resources, Side::Engine, std::move(text)}; }

/// Takes the same time wherever the two differ: nobody finds the token by measuring.
bool is_same(std::string_view given, std::string_view wanted) {
  if (given.size() != wanted.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < given.size(); ++i) difference |= static_cast<unsigned>(given[i] ^ wanted[i]);
  return difference == 0;
}

}  // namespace

AdminDesk::AdminDesk(Parts parts) : parts_(std::move(parts)) {
  for (size_t i = 0; i < parts_.workers.size(); ++i) open_questions_.push_back(std::make_shared<Open>(0));
  last_metrics_.resize(parts_.workers.size());
}

AdminDesk::~AdminDesk() = default;

void AdminDesk::open(loop::Loop& loop) {
  loop_ = &loop;
  link_ = std::make_shared<LoopLink>(loop);
}

void AdminDesk::close() {
  link_->cut();
  gatherings_.clear();
  page_questions_.clear();
}

bool AdminDesk::allows(std::string_view authorization) const {
  if (parts_.address.token.empty()) return true;
  constexpr std::string_view scheme = "bearer ";
  return authorization.size() > scheme.size() &&
         equal_ignoring_case(authorization.substr(0, scheme.size()), scheme) &&
         is_same(authorization.substr(scheme.size()), parts_.address.token);
}

void AdminDesk::ask(const std::string& what, std::string argument, Answer answer) {
  if (what == "health")
    return answer_now(answer, std::string(parts_.record.facts().is_draining ? "draining" : "ok"));
  if (what == "page") return ask_for_page(std::move(argument), std::move(answer));
  if (what == "reload") return order_reload(std::move(answer));
  if (what == "stop") return order_stop(std::move(answer));
  if (what == "metrics")
    return gather(Wanted::Metrics, [this, answer](const WorkerReports& reports) {
      for (size_t i = 0; i < reports.size(); ++i)
        if (reports[i]) last_metrics_[i] = reports[i]->metrics;
      answer(metrics_text({parts_.record.facts(), reports, parts_.workers}, last_metrics_, parts_.counts,
                          parts_.clusters, parts_.dictionaries));
    });
  if (what == "upstreams")
    return gather(Wanted::Explanations, [this, answer](const WorkerReports& reports) {
      answer(upstreams_json(parts_.clusters, reports));
    });
  if (what == "pipelines") {
    const Wanted wanted = argument == "mermaid" ? Wanted::GraphMermaid
                          : argument == "svg"   ? Wanted::GraphSvg
                                                : Wanted::GraphText;
    return gather(wanted, [this, answer](const WorkerReports& reports) { answer(graph_of(reports)); });
  }
  gather(Wanted::Numbers, [this, what, answer](const WorkerReports& reports) {
    if (what == "pages") answer(pages_text(reports));
    else answer(status_json({parts_.record.facts(), reports, parts_.workers}, parts_.counts));
  });
}

void AdminDesk::answer_now(const Answer& answer, Result<std::string> text) {
  loop_->post([answer, text = std::move(text)] { answer(text); });
}

void AdminDesk::gather(Wanted wanted, std::function<void(WorkerReports)> done) {
  const uint64_t number = ++gatherings_made_;
  gatherings_[number] = std::make_unique<Gathering<WorkerReport>>(
      *loop_, parts_.workers.size(), [this, number, done = std::move(done)](WorkerReports reports) {
        loop_->post([this, number] { gatherings_.erase(number); });
        done(std::move(reports));
      });
  for (size_t i = 0; i < parts_.workers.size(); ++i) {
    if (open_questions_[i]->load() >= limits::admin_questions_max) continue;  // it hangs
    open_questions_[i]->fetch_add(1);
    parts_.workers[i]->ask(
        [this, number, i, wanted, open = open_questions_[i], link = link_](Worker& worker) {
          open->fetch_sub(1);
          auto report = std::make_shared<WorkerReport>(report_of(worker, wanted));
          link->post([this, number, i, report] {
            const auto found = gatherings_.find(number);
            if (found != gatherings_.end()) found->second->take(i, std::move(*report));
          });
        });
  }
}

std::string AdminDesk::graph_of(const WorkerReports& reports) const {
  for (const auto& report : reports)
    if (report) return report->graph;
  return {};
}

/// One for a page of a script, that worker 0 has not answered yet.
struct AdminDesk::PageQuestion {
  void on_timer() {
    desk.answer_page(number, sentence("worker 0, which makes the pages of scripts, does not answer"));
  }

  AdminDesk& desk;
  const uint64_t number;
  Answer answer;
  loop::MemberTimer<PageQuestion, &PageQuestion::on_timer> timer{*this};
};

// (path, a line end, and the request as lua/pages.lua writes it)
void AdminDesk::ask_for_page(std::string argument, Answer answer) {
  if (page_questions_.size() >= limits::admin_page_questions_max)
    return answer_now(answer, sentence("too many pages of scripts are being made"));
  if (open_questions_[0]->load() >= limits::admin_questions_max)
    return answer_now(answer, sentence("worker 0, which makes the pages of scripts, does not answer"));
  const uint64_t number = ++page_questions_made_;
  const auto question =
      page_questions_.emplace(number, new PageQuestion{*this, number, std::move(answer)}).first->second.get();
  // The script has limits::admin_page_timeout, once it has begun.
  loop_->arm(question->timer, limits::admin_page_timeout + limits::admin_worker_timeout);
  open_questions_[0]->fetch_add(1);
  const size_t end = argument.find('\n');
  parts_.workers[0]->ask([this, number, path = argument.substr(0, end), request = argument.substr(end + 1),
                          open = open_questions_[0], link = link_](Worker& worker) mutable {
    const auto give = [this, number, open, link](const Result<std::string>& result) {
      open->fetch_sub(1);
      link->post([this, number, result] { answer_page(number, result); });
    };
    const Version* const version = worker.serving();
    if (!version) return give(sentence("the scripts do not serve yet"));
    for (const auto& state : version->states()) {
      const auto pages = state->admin_pages();
      if (std::ranges::find(pages, path) != pages.end())
        return state->run_admin_page(path, std::move(request), give);
    }
    give(std::string());
  });
}

void AdminDesk::answer_page(uint64_t number, const Result<std::string>& result) {
  const auto found = page_questions_.find(number);
  if (found == page_questions_.end()) return;  // its time was over
  const std::unique_ptr<PageQuestion> question = std::move(found->second);
  page_questions_.erase(found);
  question->answer(result);
}

void AdminDesk::order_reload(Answer answer) {
  if (open_orders_ >= limits::admin_questions_max)
    return answer_now(answer, sentence("too many reloads are waiting"));
  ++open_orders_;
  parts_.main.post([this, link = link_, answer = std::move(answer)] {
    const ReloadReport report = parts_.reload();
    Result<std::string> result = report.error.empty() ? Result<std::string>(report_json(report))
                                                      : Result<std::string>(sentence(report.error));
    link->post([this, answer, result] {
      --open_orders_;
      answer(result);
    });
  });
}

void AdminDesk::order_stop(Answer answer) {
  parts_.main.post([this, link = link_, answer = std::move(answer)] {
    const std::string what = parts_.stop();
    link->post([answer, what] { answer(what); });
  });
}

}  // namespace perilune::app
