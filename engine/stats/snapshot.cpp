#include "stats/snapshot.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "base/text.hpp"

namespace perilune::stats {
namespace {

void append_number(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "NaN";
  } else if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 40> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text.append(digits.data(), end);
  }
}

/// `\`, line ends and, in values of labels, quotes are escaped.
void append_escaped(std::string& text, std::string_view value, bool escapes_quotes) {
  for (const char c : as_utf8(value)) {
    if (c == '\n') text += "\\n";
    else if (c == '\\' || (c == '"' && escapes_quotes)) text.append({'\\', c});
    else text += c;
  }
}

/// {a="1",b="2"}, with `bound` as the label le where it is given; nothing where there are none.
void append_labels(std::string& text, const std::vector<std::string>& names,
                   const std::vector<std::string>& values, const double* bound) {
  if (names.empty() && !bound) return;
  char separator = '{';
  for (size_t i = 0; i < names.size(); ++i) {
    text.append({separator}).append(names[i]).append("=\"");
    append_escaped(text, values[i], true);
    text += '"';
    separator = ',';
  }
  if (bound) {
    text.append({separator}).append("le=\"");
    append_number(text, *bound);
    text += '"';
  }
  text += '}';
}

void append_value(std::string& text, double value) {
  text += ' ';
  append_number(text, value);
  text += '\n';
}

void add_series(Series& sum, const Series& more) {
  sum.value += more.value;
  if (sum.buckets.size() < more.buckets.size()) sum.buckets.resize(more.buckets.size());
  for (size_t i = 0; i < more.buckets.size(); ++i) sum.buckets[i] += more.buckets[i];
}

}  // namespace

Snapshot::Family* Snapshot::family_of(const std::string& name, const Family& like) {
  Family& family = families_.try_emplace(name, like).first->second;
  const bool is_alike =
      family.kind == like.kind && family.labels == like.labels && family.bounds == like.bounds;
  return is_alike ? &family : nullptr;
}

void Snapshot::add(const Registry& registry) {
  registry.each([&](const Metric& metric) {
    const MetricSpec& spec = metric.spec;
    // Who collects metrics complains about those that nobody explains.
    const std::string help = spec.help.empty() && !spec.place.file.empty()
                                 ? "Of the script, at " + spec.place.to_string() + "."
                                 : spec.help;
    Family* family = family_of(spec.name, {spec.kind, help, spec.labels, spec.bounds, {}});
    if (!family) return;
    metric.each([&](const std::vector<std::string>& values, const Series& series) {
      add_series(family->series[values], series);
    });
  });
}

void Snapshot::add(const Snapshot& other) {
  for (const auto& [name, more] : other.families_) {
    Family* family = family_of(name, {more.kind, more.help, more.labels, more.bounds, {}});
    if (!family) continue;
    for (const auto& [values, series] : more.series) add_series(family->series[values], series);
  }
}

void Snapshot::add(MetricSpec spec, std::vector<std::string> values, double value) {
  add(std::move(spec), std::move(values), Series{value});
}

void Snapshot::add(MetricSpec spec, std::vector<std::string> values, const Series& series) {
  Family* family = family_of(
      spec.name, {spec.kind, std::move(spec.help), std::move(spec.labels), std::move(spec.bounds), {}});
  if (family) add_series(family->series[std::move(values)], series);
}

std::string Snapshot::text() const {
  std::string text;
  for (const auto& [name, family] : families_) {
    if (!family.help.empty()) {
      text.append("# HELP ").append(name).append(" ");
      append_escaped(text, family.help, false);
      text += '\n';
    }
    text.append("# TYPE ").append(name).append(" ").append(kind_name(family.kind)).append("\n");
    for (const auto& [values, series] : family.series) {
      if (family.kind != Kind::Histogram) {
        append_labels(text.append(name), family.labels, values, nullptr);
        append_value(text, series.value);
        continue;
      }
      double count = 0;
      for (size_t i = 0; i <= family.bounds.size(); ++i) {
        const double bound = i < family.bounds.size() ? family.bounds[i] : HUGE_VAL;
        count += static_cast<double>(series.buckets[i]);
        append_labels(text.append(name).append("_bucket"), family.labels, values, &bound);
        append_value(text, count);
      }
      append_labels(text.append(name).append("_sum"), family.labels, values, nullptr);
      append_value(text, series.value);
      append_labels(text.append(name).append("_count"), family.labels, values, nullptr);
      append_value(text, count);
    }
  }
  return text;
}

}  // namespace perilune::stats
