#include "src/cli/facts.h"

#include <algorithm>

#include "src/cli/format.h"
#include "src/model/coding.h"
#include "src/model/model.h"

namespace octet::cli {
namespace {

std::string OneLine(const fb::Operator& op) {
  return std::string(fb::EnumNameOpKind(op.kind())) + " " + Text(op.name());
}

void CountCoded(const Coded& constant, Facts* facts) {
  if (!constant.coded()) return;
  facts->coded_bytes += constant.size;
  facts->stored_bytes += constant.stored;
}

// "112x112x32" of [1, 112, 112, 32].
std::string ShortShape(const fb::Tensor& tensor) {
  std::string text;
  for (uint32_t i = 0; i < Count(tensor.shape()); ++i) {
    if (i == 0 && tensor.shape()->size() > 1 && tensor.shape()->Get(0) == 1) continue;
    text += (text.empty() ? "" : "\xC3\x97") + std::to_string(tensor.shape()->Get(i));
  }
  return text.empty() ? "1" : text;
}

}  // namespace

std::string Text(const flatbuffers::String* text) { return text ? text->str() : std::string(); }

std::string ShapeOf(const fb::Tensor& tensor) {
  return tensor.shape() ? ShapeText(tensor.shape()->data(), tensor.shape()->size()) : "[]";
}

const OperatorFacts& OperatorOf(const Facts& facts, const StepInfo& step) {
  return step.op_index >= 0 ? facts.operators[static_cast<size_t>(step.op_index)]
                            : facts.inputs[static_cast<size_t>(-1 - step.op_index)];
}

std::string OutputShape(const Facts& facts, const fb::Operator& op) {
  if (!Count(op.outputs())) return {};
  return ShapeOf(*facts.model->tensors()->Get(static_cast<uint32_t>(op.outputs()->Get(0))));
}

std::string OutputShape(const Facts& facts, const StepInfo& step) {
  if (step.op_index >= 0) {
    return OutputShape(facts, *facts.model->operators()->Get(static_cast<uint32_t>(step.op_index)));
  }
  const int32_t input = facts.model->inputs()->Get(static_cast<uint32_t>(-1 - step.op_index));
  return ShapeOf(*facts.model->tensors()->Get(static_cast<uint32_t>(input)));
}

std::string StepName(const StepInfo& step) {
  std::string name = std::string(step.op) + " " + step.name;
  if (step.row_end >= 0) {
    name +=
        Format(" rows %d-%d", static_cast<int>(step.row_begin), static_cast<int>(step.row_end) - 1);
  }
  return name;
}

std::string BaseName(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

Facts Gather(const ModelFile& file, size_t threads) {
  Facts facts;
  facts.model = fb::GetModel(file.bytes.data());  // verified by the load
  facts.threads = threads;
  facts.memory = Unwrap(file.model.SessionMemory(SessionOptions().Threads(threads)));
  facts.operators.resize(Count(facts.model->operators()));
  facts.inputs.resize(Count(facts.model->inputs()));
  for (size_t i = 0; i < file.model.step_count(); ++i) {
    facts.steps.push_back(Unwrap(file.model.Step(i)));
    const StepInfo& step = facts.steps.back();
    facts.macs += step.macs;
    OperatorFacts& op = step.op_index >= 0 ? facts.operators[static_cast<size_t>(step.op_index)]
                                           : facts.inputs[static_cast<size_t>(-1 - step.op_index)];
    if (op.steps.empty()) {
      facts.pack_bytes += step.pack_bytes;
      if (step.pack_mapped) facts.mapped_pack_bytes += step.pack_bytes;
    }
    op.steps.push_back(static_cast<int32_t>(i));
    op.macs += step.macs;
  }
  for (uint32_t i = 0; i < facts.operators.size(); ++i) {
    const fb::Operator& op = *facts.model->operators()->Get(i);
    ++facts.op_counts[fb::EnumNameOpKind(op.kind())];
    for (uint32_t k = 0; k < Count(op.inputs()); ++k) {
      const int32_t input = op.inputs()->Get(k);
      if (input < 0) continue;
      const fb::Tensor& tensor = *facts.model->tensors()->Get(static_cast<uint32_t>(input));
      if (tensor.place() == fb::Place::CONSTANT) {
        facts.operators[i].weight_bytes += StoredBytes(tensor);
      }
    }
  }
  for (uint32_t i = 0; i < Count(facts.model->buffers()); ++i) {
    const Coded constant = CodedOf(*facts.model->buffers()->Get(i));
    facts.weight_bytes += constant.size;
    CountCoded(constant, &facts);
  }
  for (uint32_t i = 0; i < Count(facts.model->packs()); ++i) {
    CountCoded(CodedOf(*facts.model->packs()->Get(i)), &facts);
  }
  facts.plan = ViewPlan(*facts.model, facts.steps, threads);
  return facts;
}

PlanPicture Picture(const ModelFile& file, const Facts& facts) {
  PlanPicture picture;
  picture.title = BaseName(file.path);
  picture.arena_bytes = facts.memory.arena_bytes;
  picture.bound_bytes = facts.plan.bound_bytes;
  picture.peak_bytes = facts.plan.peak_bytes;
  picture.peak_step = facts.steps.empty() ? -1 : static_cast<int32_t>(facts.plan.peak_step);
  for (const PlacedTensor& t : facts.plan.tensors) {
    PlanPicture::Tensor tensor;
    tensor.name = t.name;
    tensor.detail = Format("tensor %d: ", static_cast<int>(t.tensor)) + t.type + " " + t.shape;
    tensor.offset = t.offset;
    tensor.bytes = t.bytes;
    tensor.first_step = t.first;
    tensor.last_step = t.last;
    tensor.ring_rows = t.ring_rows;
    tensor.label = Format("#%d ", static_cast<int>(t.tensor)) +
                   ShortShape(*facts.model->tensors()->Get(static_cast<uint32_t>(t.tensor)));
    if (t.ring_rows > 0) tensor.label += Format(", %d rows", static_cast<int>(t.ring_rows));
    for (const HeldBytes& part : t.parts) {
      tensor.parts.push_back({part.begin, part.end, part.first, part.last});
    }
    picture.tensors.push_back(std::move(tensor));
  }
  for (const PlacedScratch& s : facts.plan.scratch) {
    picture.scratch.push_back({OneLine(*facts.model->operators()->Get(static_cast<uint32_t>(s.op))),
                               s.offset, s.bytes, s.steps});
  }
  for (const StreamedSteps& s : facts.plan.streamed) {
    std::string detail;
    for (size_t i = 0; i < s.operators.size() && i < 40; ++i) {
      const fb::Operator& op =
          *facts.model->operators()->Get(static_cast<uint32_t>(s.operators[i]));
      detail += (i ? "\n" : "") + Format("%d ", static_cast<int>(s.operators[i])) +
                Shorten(OneLine(op), 90);
    }
    picture.segments.push_back(
        {s.first, s.last, static_cast<int32_t>(s.operators.size()), std::move(detail)});
  }
  for (size_t i = 0; i < facts.steps.size(); ++i) {
    picture.steps.push_back(StepName(facts.steps[i]));
    picture.step_labels.push_back(Format("%zu ", i) + facts.steps[i].op);
  }
  return picture;
}

}  // namespace octet::cli
