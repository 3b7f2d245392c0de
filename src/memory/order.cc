#include "src/memory/order.h"

#include <algorithm>
#include <memory>
#include <unordered_map>

namespace octet {
namespace {

constexpr size_t kMaxOps = 3000;
constexpr uint64_t kBudget = 40000000;  // operators times beam width times pieces, roughly

// The graph as the search sees it: only operators that run, only pieces of memory.
struct Problem {
  struct Op {
    std::vector<int32_t> reads, writes;  // pieces
    bool in_place = false;               // may lie over one of its inputs
  };
  std::vector<Op> ops;  // by the graph's index; elided ones are empty
  std::vector<Piece> pieces;
  std::vector<int32_t> to_run;
};

struct Trail {
  std::shared_ptr<const Trail> before;
  int32_t op;
};

struct State {
  std::vector<uint16_t> readers_left;  // of each piece
  std::vector<uint16_t> waits;         // of each operator: pieces not yet written
  std::vector<int32_t> ready;          // in the graph's order
  uint64_t live = 0, peak = 0, hash = 0;
  std::shared_ptr<const Trail> trail;
};

struct Candidate {
  size_t parent;
  int32_t op;
  uint64_t live, peak, hash;
};

uint64_t Mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Candidate Evaluate(const Problem& problem, const State& s, size_t parent, int32_t op) {
  const Problem::Op& o = problem.ops[op];
  uint64_t made = 0, kept = 0, freed = 0;
  for (const int32_t p : o.writes) {
    made += problem.pieces[p].bytes;
    if (!problem.pieces[p].readers.empty() || problem.pieces[p].is_output) {
      kept += problem.pieces[p].bytes;
    }
  }
  uint64_t over = 0;
  for (const int32_t p : o.reads) {
    if (s.readers_left[p] != 1 || problem.pieces[p].is_output) continue;
    freed += problem.pieces[p].bytes;
    if (problem.pieces[p].bytes == made) over = made;
  }
  Candidate c;
  c.parent = parent;
  c.op = op;
  c.peak = std::max(s.peak, s.live + made - (o.in_place ? over : 0));
  c.live = s.live + kept - freed;
  c.hash = s.hash ^ Mix(static_cast<uint64_t>(op));
  return c;
}

State Apply(const Problem& problem, const State& s, const Candidate& c) {
  State next = s;
  next.live = c.live;
  next.peak = c.peak;
  next.hash = c.hash;
  next.trail = std::make_shared<const Trail>(Trail{s.trail, c.op});
  next.ready.erase(std::find(next.ready.begin(), next.ready.end(), c.op));
  for (const int32_t p : problem.ops[c.op].reads) --next.readers_left[p];
  for (const int32_t p : problem.ops[c.op].writes) {
    for (const int32_t reader : problem.pieces[p].readers) {
      if (--next.waits[reader] == 0) {
        next.ready.insert(std::lower_bound(next.ready.begin(), next.ready.end(), reader), reader);
      }
    }
  }
  return next;
}

Problem MakeProblem(const Graph& graph, const Views& views) {
  Problem problem;
  problem.pieces = MakePieces(graph, views);
  problem.ops.resize(graph.ops.size());
  for (size_t i = 0; i < problem.pieces.size(); ++i) {
    const Piece& p = problem.pieces[i];
    if (p.writer >= 0) problem.ops[p.writer].writes.push_back(static_cast<int32_t>(i));
    for (const int32_t r : p.readers) problem.ops[r].reads.push_back(static_cast<int32_t>(i));
  }
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    if (views.elided[i]) continue;
    problem.to_run.push_back(static_cast<int32_t>(i));
    const OpDef* def = FindOp(graph.ops[i].kind);
    if (!def || !def->in_place) continue;
    const GraphOpView view(graph, graph.ops[i]);
    problem.ops[i].in_place = def->in_place(view.view()) != 0;
  }
  return problem;
}

// Puts the elided operators back, each as soon as its inputs exist.
std::vector<int32_t> Complete(const Graph& graph, const Views& views,
                              const std::vector<int32_t>& running) {
  std::vector<int32_t> waits(graph.ops.size(), 0);
  std::vector<std::vector<int32_t>> readers(graph.tensors.size());
  std::vector<bool> there(graph.tensors.size(), true);
  for (const GraphOp& op : graph.ops) {
    for (const int32_t t : op.outputs) there[t] = false;
  }
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    for (const int32_t t : graph.ops[i].inputs) {
      if (t < 0 || there[t]) continue;
      ++waits[i];
      readers[t].push_back(static_cast<int32_t>(i));
    }
  }
  std::vector<int32_t> order, stack;
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    if (views.elided[i] && waits[i] == 0) stack.push_back(static_cast<int32_t>(i));
  }
  const auto drain = [&] {
    while (!stack.empty()) {
      const int32_t op = stack.back();
      stack.pop_back();
      order.push_back(op);
      for (const int32_t t : graph.ops[op].outputs) {
        for (const int32_t r : readers[t]) {
          if (--waits[r] == 0 && views.elided[r]) stack.push_back(r);
        }
      }
    }
  };
  drain();
  for (const int32_t op : running) {
    stack.push_back(op);
    drain();
  }
  return order;
}

}  // namespace

std::vector<int32_t> FindOrder(const Graph& graph, const Views& views) {
  if (graph.ops.size() > kMaxOps || graph.ops.size() < 3) return {};
  const Problem problem = MakeProblem(graph, views);
  for (const Piece& p : problem.pieces) {
    if (p.readers.size() > UINT16_MAX) return {};
  }

  State start;
  start.readers_left.resize(problem.pieces.size());
  start.waits.assign(graph.ops.size(), 0);
  for (size_t i = 0; i < problem.pieces.size(); ++i) {
    const Piece& p = problem.pieces[i];
    start.readers_left[i] = static_cast<uint16_t>(p.readers.size());
    if (p.writer < 0) {
      start.live += p.bytes;
    } else {
      for (const int32_t r : p.readers) ++start.waits[r];
    }
  }
  start.peak = start.live;
  for (const int32_t op : problem.to_run) {
    if (start.waits[op] == 0) start.ready.push_back(op);
  }

  const uint64_t cost = problem.to_run.size() * (problem.pieces.size() + 16);
  const size_t width = std::clamp<size_t>(static_cast<size_t>(kBudget / (cost + 1)), 1, 96);
  std::vector<State> beam;
  beam.push_back(std::move(start));
  bool choice = false;
  for (size_t step = 0; step < problem.to_run.size(); ++step) {
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < beam.size(); ++i) {
      choice = choice || beam[i].ready.size() > 1;
      for (const int32_t op : beam[i].ready)
        candidates.push_back(Evaluate(problem, beam[i], i, op));
    }
    if (candidates.empty()) return {};
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.peak != b.peak ? a.peak < b.peak : a.live < b.live;
                     });
    std::vector<State> next;
    std::unordered_map<uint64_t, bool> seen;  // of two ways to the same set, the better one stays
    for (const Candidate& c : candidates) {
      if (next.size() >= width) break;
      if (!seen.emplace(c.hash, true).second) continue;
      next.push_back(Apply(problem, beam[c.parent], c));
    }
    beam = std::move(next);
  }
  if (!choice) return {};
  std::vector<int32_t> running;
  for (const Trail* t = beam[0].trail.get(); t; t = t->before.get()) running.push_back(t->op);
  std::reverse(running.begin(), running.end());
  std::vector<int32_t> order = Complete(graph, views, running);
  return order.size() == graph.ops.size() ? order : std::vector<int32_t>();
}

}  // namespace octet
