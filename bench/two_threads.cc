// octet_two_threads MODEL.octet...: what a second thread gains, and how much it could.
//
// A shared host lends its processors unevenly, and two of them may be halves of one core. So each
// round measures, one behind the other, for some 20 ms each: a session of one thread alone; two
// such sessions at once, each on a thread of its own, which share nothing and so have what two
// processors give; a session of two threads; and the pair once more. Rounds in which the pair did
// 1.9 times the work of one, both before and after, are those in which two processors were free.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "octet/octet.hpp"

namespace {

constexpr int kRounds = 60;
constexpr double kPartSeconds = 0.02, kFree = 1.9;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
T Get(octet::Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.message());
    std::exit(1);
  }
  return std::move(*result);
}

void Run(octet::Session* session, int runs) {
  for (int i = 0; i < runs; ++i) {
    if (!session->Run()) std::exit(1);
  }
}

// Seconds a run.
double Time(octet::Session* session, int runs) {
  const double begin = Seconds();
  Run(session, runs);
  return (Seconds() - begin) / runs;
}

// Seconds a run of either session, both at once.
double TimePair(octet::Session* a, octet::Session* b, int runs) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  double seconds = 0;
  std::thread other([&] {
    ++ready;
    while (!go.load()) {
    }
    const double begin = Seconds();
    Run(b, runs);
    seconds = Seconds() - begin;
  });
  while (ready.load() == 0) std::this_thread::yield();
  // Both are awake, and on a processor each if there are two.
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  go = true;
  const double mine = Time(a, runs);
  other.join();
  return (mine + seconds / runs) / 2;
}

double Median(std::vector<double> v) {
  if (v.empty()) return 0;
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

void Measure(const char* path) {
  const octet::Model model = Get(octet::Model::LoadFile(path));
  octet::Session one = Get(octet::Session::Create(model));
  octet::Session other = Get(octet::Session::Create(model));
  octet::Session two = Get(octet::Session::Create(model, octet::SessionOptions().Threads(2)));
  const int runs = 1 + static_cast<int>(kPartSeconds / Time(&one, 20));
  Run(&two, 200);  // it has chosen
  std::vector<double> alone_us, two_us, gains, all_gains;
  for (int round = 0; round < kRounds; ++round) {
    const double alone = Time(&one, runs);
    const double before = 2 * alone / TimePair(&one, &other, runs);
    const double both = Time(&two, runs);
    const double after = 2 * alone / TimePair(&one, &other, runs);
    all_gains.push_back(alone / both);
    if (before < kFree || after < kFree) continue;
    gains.push_back(alone / both);
    alone_us.push_back(alone * 1e6);
    two_us.push_back(both * 1e6);
  }
  std::printf("| %s | %.0f | %.0f | %.2f | %zu of %d | %.2f |\n", path, Median(alone_us),
              Median(two_us), Median(gains), gains.size(), kRounds, Median(all_gains));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("| model | one, us | two, us | gain | rounds with two free | gain, all rounds |\n");
  std::printf("|---|---|---|---|---|---|\n");
  for (int i = 1; i < argc; ++i) Measure(argv[i]);
  return argc > 1 ? 0 : 2;
}
