#include "src/cli/whole_plan.h"

#include <cstring>
#include <memory>
#include <set>

#include "octet_generated.h"
#include "src/base/memory.h"
#include "src/model/checksum.h"
#include "src/model/model.h"

namespace octet::cli {

bool IsStreamed(const std::vector<uint8_t>& file) {
  for (const fb::Step* step : *fb::GetModel(file.data())->steps()) {
    if (step->op() < 0 || step->row_end() >= 0) return true;
  }
  return false;
}

std::vector<uint8_t> WithWholeTensors(const std::vector<uint8_t>& file) {
  const fb::Model& source = *fb::GetModel(file.data());
  const std::unique_ptr<fb::ModelT> model(source.UnPack());
  uint64_t top = 0;
  std::vector<uint64_t> moved(model->tensors.size(), 0);
  for (const bool views : {false, true}) {
    for (uint32_t i = 0; i < model->tensors.size(); ++i) {
      fb::TensorT& t = *model->tensors[i];
      if (t.place != fb::Place::ARENA || (t.view_of >= 0) != views) continue;
      if (views) {
        const uint32_t root = static_cast<uint32_t>(t.view_of);
        moved[i] = moved[root] + (t.offset - source.tensors()->Get(root)->offset());
      } else {
        moved[i] = top;
        top = AlignUp(top + ViewTensor(source, *source.tensors()->Get(i)).bytes(), 64);
      }
      t.ring_rows = 0;
    }
  }
  for (uint32_t i = 0; i < model->tensors.size(); ++i) {
    if (model->tensors[i]->place == fb::Place::ARENA) model->tensors[i]->offset = moved[i];
  }
  model->arena_bytes = top;
  // An operator's first rows come after the first rows of all that it reads.
  std::vector<fb::Step> steps;
  std::set<int32_t> placed;
  for (const fb::Step& step : model->steps) {
    if (step.op() >= 0 && placed.insert(step.op()).second) steps.emplace_back(step.op(), 0, -1);
  }
  model->steps = std::move(steps);
  for (auto& op : model->operators) op->scratch_offset = op->scratch_bytes = 0;

  flatbuffers::FlatBufferBuilder b;
  fb::FinishModelBuffer(b, fb::Model::Pack(b, model.get()));
  const size_t body = AlignUp(b.GetSize(), 64);
  std::vector<uint8_t> made(body + kTrailerBytes, 0);
  std::memcpy(made.data(), b.GetBufferPointer(), b.GetSize());
  const uint64_t sum = Checksum(made.data(), body);
  std::memcpy(&made[body], kTrailerMagic, sizeof kTrailerMagic);
  for (size_t i = 0; i < 8; ++i) made[body + 8 + i] = static_cast<uint8_t>(sum >> (8 * i));
  return made;
}

}  // namespace octet::cli
