// Temporary descriptions of a file's tensors and operators.
#include "src/model/coding.h"
#include "src/model/model.h"

namespace octet {

TensorView ViewTensor(const fb::Model& file, const fb::Tensor& t) {
  TensorView view;
  view.name = t.name() != nullptr ? t.name()->c_str() : "";
  view.type = t.type();
  if (t.shape() != nullptr) {
    view.rank = static_cast<int32_t>(t.shape()->size());
    for (int32_t i = 0; i < view.rank; ++i) {
      view.dims[i] = t.shape()->Get(static_cast<uint32_t>(i));
    }
  }
  if (t.scale() != nullptr) view.scales = {t.scale()->data(), t.scale()->size()};
  view.zero_point = t.zero_point();
  view.axis = t.axis();
  if (t.place() == fb::Place::CONSTANT) {
    const Coded constant = CodedOf(*file.buffers()->Get(t.buffer()));
    view.coded = constant.coded();
    if (!view.coded) view.data = constant.data;
  }
  view.is_state = t.place() == fb::Place::STATE;
  return view;
}

FileOpView::FileOpView(const fb::Model& file, int32_t index, TensorView* tensors,
                       const TensorView** pointers) {
  const fb::Operator& op = *file.operators()->Get(static_cast<uint32_t>(index));
  view_.kind = op.kind();
  view_.name = op.name() != nullptr ? op.name()->c_str() : "";
  view_.options_type = op.options_type();
  view_.options_table = op.options();
  size_t n = 0;
  auto add = [&](const flatbuffers::Vector<int32_t>* list) {
    const size_t first = n;
    for (int32_t t : *list) {
      pointers[n] = nullptr;
      if (t >= 0) {
        tensors[n] = ViewTensor(file, *file.tensors()->Get(static_cast<uint32_t>(t)));
        pointers[n] = &tensors[n];
      }
      ++n;
    }
    return Span<const TensorView* const>{pointers + first, n - first};
  };
  view_.inputs = add(op.inputs());
  view_.outputs = add(op.outputs());
}

size_t MaxOperands(const fb::Model& file) {
  size_t most = 1;
  if (file.operators() == nullptr) return most;
  for (const fb::Operator* op : *file.operators()) {
    size_t n = 0;
    if (op->inputs() != nullptr) n += op->inputs()->size();
    if (op->outputs() != nullptr) n += op->outputs()->size();
    if (n > most) most = n;
  }
  return most;
}

size_t StoredBytes(const fb::Tensor& t) {
  size_t bytes = TypeBytes(t.type());
  if (t.shape() == nullptr) return bytes;
  for (uint32_t i = 0; i < t.shape()->size(); ++i) {
    const bool rows = i == 1 && t.ring_rows() > 0;
    bytes *= static_cast<size_t>(rows ? t.ring_rows() : t.shape()->Get(i));
  }
  return bytes;
}

}  // namespace octet
