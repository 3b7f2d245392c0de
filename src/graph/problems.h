// Collects what is wrong with a model's operators, so that a user sees all of it at once.
#pragma once

#include <string>
#include <vector>

#include "src/graph/graph.h"

namespace octet {

class Problems {
 public:
  // `kind` names the operator, `where` says which one it is and what its tensors are. Operators of
  // one kind with the same reason share a line.
  void Add(Status status, std::string kind, std::string reason, std::string where);
  bool empty() const { return lines_.empty(); }
  // OCTET_OK without problems. Else one line a kind and reason, in as much detail as the error text
  // has room for; fails with OCTET_INVALID_MODEL if any problem has that status.
  Status Report() const;

 private:
  struct Line {
    Status status;
    std::string kind, reason, where;
    int count;
  };
  std::vector<Line> lines_;
};

// "int8[1,49,40,1]"
std::string DescribeTensor(const GraphTensor& tensor);
// "operator 3 "stem": int8[1,8] "a", int8[4,8] "b" -> int8[1,4] "c"", shortened where long.
// Negative indices are absent tensors.
std::string DescribeOperator(const Graph& graph, size_t index, const std::string& name,
                             const std::vector<int32_t>& inputs,
                             const std::vector<int32_t>& outputs);

// Adds what the operators' own checks find. The graph's tensors must be sound (CheckTensors).
void CheckOperators(const Graph& graph, Problems* problems);

}  // namespace octet
