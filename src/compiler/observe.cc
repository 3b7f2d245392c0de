#include "src/compiler/observe.h"

#include "src/compiler/aligned.h"
#include "src/compiler/writer.h"
#include "src/memory/plan.h"
#include "src/model/model.h"

namespace octet {
namespace {

template <class T, void (*kDestroy)(T*)>
struct Destroy {
  void operator()(T* object) const { kDestroy(object); }
};
using Model = std::unique_ptr<octet_model, Destroy<octet_model, octet_model_destroy>>;
using SessionOptions =
    std::unique_ptr<octet_session_options,
                    Destroy<octet_session_options, octet_session_options_destroy>>;
using Session = std::unique_ptr<octet_session, Destroy<octet_session, octet_session_destroy>>;

}  // namespace

struct Observer::State {
  Graph graph;
  std::vector<TensorView> views;
  std::unique_ptr<AlignedCopy> file;
  Model model;
  Session session;
  std::vector<int32_t> step_ops;
  const Callback* callback = nullptr;  // of the run in progress

  static void Show(void* context, size_t step, size_t output, const octet_tensor_info*,
                   const void* data) {
    const State& s = *static_cast<State*>(context);
    const GraphOp& op = s.graph.ops[static_cast<size_t>(s.step_ops[step])];
    s.Call(op.outputs[output], data);
  }
  void Call(int32_t tensor, const void* data) const {
    (*callback)(tensor, views[static_cast<size_t>(tensor)], data);
  }
};

Observer::Observer() : state_(std::make_unique<State>()) {}
Observer::~Observer() = default;

Status Observer::Create(const Graph& graph, const ObserverOptions& options,
                        std::unique_ptr<Observer>* observer) {
  std::unique_ptr<Observer> made(new Observer);
  State& s = *made->state_;
  s.graph = graph;
  Plan plan;
  // One step an operator, nothing in place: each output is whole when its operator has run.
  OCTET_RETURN_IF_ERROR(PlanMemory(&s.graph, PlanOptions{false}, &plan));
  std::vector<uint8_t> bytes;
  OCTET_RETURN_IF_ERROR(WriteModel(s.graph, plan, {}, &bytes));
  s.file = std::make_unique<AlignedCopy>(bytes.data(), bytes.size());
  for (const GraphTensor& t : s.graph.tensors) s.views.push_back(ViewOf(t));
  for (const fb::Step& step : plan.steps) s.step_ops.push_back(step.op());

  IsaSet isa;
  OCTET_RETURN_IF_ERROR(ChooseIsa(options.isa.empty() ? nullptr : options.isa.c_str(), &isa));
  isa.xnnpack = isa.xnnpack && options.xnnpack;
  octet_model* model = nullptr;
  OCTET_RETURN_IF_ERROR(
      LoadModel(s.file->data(), s.file->size(), false, DefaultAllocator(), isa, 0, &model));
  s.model.reset(model);
  octet_session_options* session_options_raw = nullptr;
  OCTET_RETURN_IF_ERROR(octet_session_options_create(&session_options_raw));
  const SessionOptions session_options(session_options_raw);
  OCTET_RETURN_IF_ERROR(octet_session_options_set_threads(session_options.get(), options.threads));
  octet_session* session = nullptr;
  OCTET_RETURN_IF_ERROR(octet_session_create(s.model.get(), session_options.get(), &session));
  s.session.reset(session);
  OCTET_RETURN_IF_ERROR(octet_session_set_tensor_callback(session, State::Show, &s));
  *observer = std::move(made);
  return OCTET_OK;
}

Status Observer::Run(const std::vector<Span<const uint8_t>>& inputs, const Callback& callback) {
  State& s = *state_;
  if (inputs.size() != s.graph.inputs.size()) {
    return Fail(OCTET_INVALID_ARGUMENT, "%zu inputs, the graph has %zu", inputs.size(),
                s.graph.inputs.size());
  }
  s.callback = &callback;
  for (size_t i = 0; i < inputs.size(); ++i) {
    OCTET_RETURN_IF_ERROR(
        octet_session_set_input(s.session.get(), i, inputs[i].data, inputs[i].size));
    s.Call(s.graph.inputs[i], inputs[i].data);
  }
  return octet_session_run(s.session.get());
}

Status Observer::Run(const std::vector<std::vector<uint8_t>>& inputs, const Callback& callback,
                     std::vector<std::vector<uint8_t>>* outputs) {
  const std::vector<int32_t>& wanted = graph().outputs;
  std::vector<Span<const uint8_t>> spans;
  for (const std::vector<uint8_t>& input : inputs) spans.push_back({input.data(), input.size()});
  if (outputs) outputs->assign(wanted.size(), {});
  return Run(spans, [&](int32_t tensor, const TensorView& view, const void* data) {
    if (callback) callback(tensor, view, data);
    for (size_t k = 0; outputs && k < wanted.size(); ++k) {
      if (wanted[k] != tensor) continue;
      const uint8_t* bytes = static_cast<const uint8_t*>(data);
      (*outputs)[k].assign(bytes, bytes + view.bytes());
    }
  });
}

const Graph& Observer::graph() const { return state_->graph; }

const TensorView& Observer::view(int32_t tensor) const {
  return state_->views[static_cast<size_t>(tensor)];
}

}  // namespace octet
