#include <algorithm>
#include <filesystem>
#include <map>

#include "base/text.hpp"
#include "filter/graph.hpp"

// A layered drawing: a box for each pipeline, with a line for each of its filters, in columns from left to
// right; an arrow from each joint to what it leads to. Boxes stand as high as the line that leads to them
// where there is room.
namespace perilune::filter {
namespace {

using flow::PipelinePlan;

// Pixels. Letters have a fixed width, so that no font has to be asked.
constexpr int letter_width = 8;
constexpr int line_height = 20;
constexpr int title_height = 28;
constexpr int padding = 12;
constexpr int column_gap = 56;
constexpr int row_gap = 20;
constexpr int margin = 8;

constexpr const char* style =
    // Boxes bring their own ground: what shows a drawing may be lighter or darker than it says.
    "  <style>\n"
    "    text { font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #24292f }\n"
    "    .title { font-weight: bold; fill: #0550ae }\n"
    "    .answers { font-weight: bold }\n"
    "    rect { fill: #f6f8fa; stroke: #8c959f }\n"
    "    .rule { stroke: #d0d7de }\n"
    "    .joint { fill: none; stroke: #848d97; stroke-width: 1.5; marker-end: url(#head) }\n"
    "    .maybe { stroke-dasharray: 5 4 }\n"
    "    marker path { fill: #848d97 }\n"
    "    @media (prefers-color-scheme: dark) {\n"
    "      text { fill: #e6edf3 }\n"
    "      .title { fill: #79c0ff }\n"
    "      rect { fill: #161b22; stroke: #6e7681 }\n"
    "      .rule { stroke: #30363d }\n"
    "    }\n"
    "  </style>\n"
    "  <marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
    "orient=\"auto\"><path d=\"M0 0 8 4 0 8z\"/></marker>\n";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : shown(text)) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

size_t letters_of(std::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(std::max<size_t>(utf8_size(text), 1));
    ++count;
  }
  return count;
}

struct Box;

struct Joint {
  size_t line;  // of the filter in its box
  Box* target;
  bool is_certain;       // else a function chooses, and may choose this
  bool is_back = false;  // closes a circle
};

struct Box {
  const PipelinePlan* plan = nullptr;
  std::string title = {};
  std::vector<Joint> joints = {};
  enum class Visit : uint8_t { None, Open, Done } visit = Visit::None;
  size_t column = 0;
  int x = 0, y = 0, width = 0, height = 0;

  int line_middle(size_t line) const {
    return y + title_height + static_cast<int>(line) * line_height + line_height / 2;
  }
};

class Drawing {
 public:
  explicit Drawing(const Program& program) : program_(program) {
    for (const ListenPlan& listen : program.listens)
      add(*listen.pipeline, "listen " + listen.address.to_string());
    for (const auto& plan : program.pipelines)
      if (!box_of(*plan)) add(*plan, plan->name().empty() ? place_in_words(plan->place()) : plan->name());
    find_joints();
  }

  /// Gives every box its place, from `top` on. Returns where the drawing ends below.
  int place(int top) {
    choose_columns();
    std::map<size_t, int> column_widths;
    for (const auto& box : boxes_) {
      int& width = column_widths[box->column];
      width = std::max(width, box->width);
    }
    int x = margin;
    for (const auto& [column, width] : column_widths) {
      for (const auto& box : boxes_)
        if (box->column == column) box->x = x;
      x += width + column_gap;
    }
    right_ = x - column_gap + margin;
    for (const auto& [column, width] : column_widths) place_column(column, top);
    int bottom = top;
    for (const auto& box : boxes_) bottom = std::max(bottom, box->y + box->height);
    return bottom;
  }
  int right() const { return right_; }

  void draw(std::string& svg) const {
    for (const auto& box : boxes_)
      for (const Joint& joint : box->joints) draw_joint(svg, *box, joint);
    for (const auto& box : boxes_) draw_box(svg, *box);
  }

 private:
  /// "line 12", and of another file than that of the first listen "plugins/jwt.lua, line 12", as seen from
  /// there.
  std::string place_in_words(const Place& place) const {
    const std::string line = "line " + std::to_string(place.line);
    if (program_.listens.empty()) return line;
    const std::filesystem::path script = program_.listens.front().place.file;
    if (place.file == script) return line;
    return std::filesystem::path(place.file).lexically_proximate(script.parent_path()).string() + ", " + line;
  }

  Box* box_of(const PipelinePlan& plan) const {
    const auto found = std::ranges::find_if(boxes_, [&](const auto& box) { return box->plan == &plan; });
    return found == boxes_.end() ? nullptr : found->get();
  }

  void add(const PipelinePlan& plan, std::string title) {
    auto box = std::make_unique<Box>(Box{.plan = &plan, .title = std::move(title)});
    size_t letters = letters_of(box->title);
    for (const auto& filter : plan.filters()) letters = std::max(letters, filter->name.size());
    box->width = static_cast<int>(letters) * letter_width + 2 * padding;
    box->height = title_height + static_cast<int>(plan.filters().size()) * line_height + padding / 2;
    boxes_.push_back(std::move(box));
  }

  static void lead(Box& from, size_t line, Box& to, bool is_certain) {
    for (const Joint& joint : from.joints)
      if (joint.line == line && joint.target == &to) return;
    from.joints.push_back({line, &to, is_certain});
  }

  void find_joints() {
    const auto joints = graph_joints(program_);
    for (size_t i = 0; i < joints.size(); ++i) {
      Box* const box = box_of(*program_.pipelines[i]);
      for (const GraphJoint& joint : joints[i])
        lead(*box, joint.line, *box_of(*joint.target), joint.is_certain);
    }
  }

  /// Each box behind all that lead to it, circles aside.
  void choose_columns() {
    for (const auto& box : boxes_) find_circles(*box);
    bool has_changed = true;
    for (size_t round = 0; has_changed && round < boxes_.size(); ++round) {
      has_changed = false;
      for (const auto& box : boxes_)
        for (const Joint& joint : box->joints) {
          if (joint.is_back || joint.target->column > box->column) continue;
          joint.target->column = box->column + 1;
          has_changed = true;
        }
    }
  }

  static void find_circles(Box& box) {
    if (box.visit != Box::Visit::None) return;
    box.visit = Box::Visit::Open;
    for (Joint& joint : box.joints) {
      joint.is_back = joint.target->visit == Box::Visit::Open;
      find_circles(*joint.target);
    }
    box.visit = Box::Visit::Done;
  }

  void place_column(size_t column, int top) {
    // The boxes of a column, by the height of the first line that leads there.
    std::vector<std::pair<int, Box*>> wanted;
    for (const auto& box : boxes_) {
      if (box->column != column) continue;
      int y = -1;
      for (const auto& from : boxes_)
        for (const Joint& joint : from->joints)
          if (joint.target == box.get() && from->column < column && y < 0)
            y = from->line_middle(joint.line) - title_height / 2;
      wanted.emplace_back(y, box.get());
    }
    std::ranges::stable_sort(wanted, {}, &std::pair<int, Box*>::first);
    int free = top;
    for (const auto& [y, box] : wanted) {
      box->y = std::max(free, y);
      free = box->y + box->height + row_gap;
    }
  }

  static void draw_joint(std::string& svg, const Box& from, const Joint& joint) {
    const int x1 = from.x + from.width, y1 = from.line_middle(joint.line);
    const int x2 = joint.target->x, y2 = joint.target->y + title_height / 2;
    const int bend = column_gap / 2;
    const auto point = [](int x, int y) { return std::to_string(x) + " " + std::to_string(y); };
    svg += std::string("  <path class=\"joint") + (joint.is_certain ? "" : " maybe") + "\" d=\"M" +
           point(x1, y1) + " C" + point(x1 + bend, y1) + " " + point(x2 - bend, y2) + " " + point(x2, y2) +
           "\"/>\n";
  }

  static void draw_box(std::string& svg, const Box& box) {
    const auto number = [](std::string_view name, int value) {
      return " " + std::string(name) + "=\"" + std::to_string(value) + "\"";
    };
    const auto text = [&](std::string_view kind, int middle, std::string_view words) {
      svg += "  <text" + (kind.empty() ? "" : " class=\"" + std::string(kind) + "\"") +
             number("x", box.x + padding) + number("y", middle + 4) + ">" + escaped(words) + "</text>\n";
    };
    svg += "  <rect" + number("x", box.x) + number("y", box.y) + number("width", box.width) +
           number("height", box.height) + " rx=\"5\"/>\n";
    svg += "  <path class=\"rule\" d=\"M" + std::to_string(box.x) + " " +
           std::to_string(box.y + title_height - 3) + "h" + std::to_string(box.width) + "\"/>\n";
    text("title", box.y + title_height / 2 - 1, box.title);
    const auto& filters = box.plan->filters();
    const auto answering = box.plan->answering_filter();
    for (size_t line = 0; line < filters.size(); ++line)
      text(answering == line ? "answers" : "", box.line_middle(line), filters[line]->name);
  }

  const Program& program_;
  std::vector<std::unique_ptr<Box>> boxes_;
  int right_ = 0;
};

}  // namespace

std::string graph_svg(const std::vector<const Program*>& programs) {
  std::string body;
  int right = 2 * margin;
  int bottom = margin;
  for (const Program* program : programs) {
    Drawing drawing(*program);
    bottom = drawing.place(bottom) + row_gap;
    right = std::max(right, drawing.right());
    drawing.draw(body);
  }
  const std::string size = std::to_string(right) + " " + std::to_string(bottom - row_gap + margin);
  const size_t space = size.find(' ');
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size + "\" width=\"" +
         size.substr(0, space) + "\" height=\"" + size.substr(space + 1) + "\" role=\"img\">\n" + style +
         body + "</svg>\n";
}

}  // namespace perilune::filter
