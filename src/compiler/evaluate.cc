#include "src/compiler/evaluate.h"

#include <cstring>
#include <memory>

#include "src/compiler/aligned.h"
#include "src/compiler/writer.h"
#include "src/memory/plan.h"

namespace octet {
namespace {

template <class T, void (*kDestroy)(T*)>
struct Destroy {
  void operator()(T* object) const { kDestroy(object); }
};
using ModelOptions =
    std::unique_ptr<octet_model_options, Destroy<octet_model_options, octet_model_options_destroy>>;
using Model = std::unique_ptr<octet_model, Destroy<octet_model, octet_model_destroy>>;
using Session = std::unique_ptr<octet_session, Destroy<octet_session, octet_session_destroy>>;

}  // namespace

Status Evaluate(const Graph& graph, const std::vector<std::vector<uint8_t>>& inputs,
                std::vector<std::vector<uint8_t>>* outputs) {
  Graph copy = graph;
  Plan plan;
  OCTET_RETURN_IF_ERROR(PlanMemory(&copy, PlanOptions{false}, &plan));
  std::vector<uint8_t> bytes;
  OCTET_RETURN_IF_ERROR(WriteModel(copy, plan, {}, &bytes));
  const AlignedCopy file(bytes.data(), bytes.size());

  octet_model_options* options_raw = nullptr;
  OCTET_RETURN_IF_ERROR(octet_model_options_create(&options_raw));
  const ModelOptions options(options_raw);
  OCTET_RETURN_IF_ERROR(octet_model_options_set_isa(options.get(), "scalar"));
  octet_model* model_raw = nullptr;
  OCTET_RETURN_IF_ERROR(
      octet_model_load_buffer(file.data(), file.size(), options.get(), &model_raw));
  const Model model(model_raw);
  octet_session* session_raw = nullptr;
  OCTET_RETURN_IF_ERROR(octet_session_create(model.get(), nullptr, &session_raw));
  const Session session(session_raw);
  for (size_t i = 0; i < inputs.size(); ++i) {
    OCTET_RETURN_IF_ERROR(
        octet_session_set_input(session.get(), i, inputs[i].data(), inputs[i].size()));
  }
  OCTET_RETURN_IF_ERROR(octet_session_run(session.get()));
  outputs->clear();
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    std::vector<uint8_t> out(graph.tensors[graph.outputs[i]].bytes());
    OCTET_RETURN_IF_ERROR(octet_session_get_output(session.get(), i, out.data(), out.size()));
    outputs->push_back(std::move(out));
  }
  return OCTET_OK;
}

}  // namespace octet
