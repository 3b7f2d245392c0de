// ONNX models made in the test itself.
#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "onnx.pb.h"
#include "tests/support/run_model.h"

namespace octet::test {

// TensorProto.DataType.
enum OnnxType : int32_t { kF32 = 1, kU8 = 2, kS8 = 3, kS16 = 5, kS32 = 6, kS64 = 7 };

class OnnxMaker {
 public:
  explicit OnnxMaker(int64_t opset = 13) {
    model.set_ir_version(8);
    model.add_opset_import()->set_version(opset);
    auto* microsoft = model.add_opset_import();
    microsoft->set_domain("com.microsoft");
    microsoft->set_version(1);
    graph().set_name("net");
  }

  onnx_pb::GraphProto& graph() { return *model.mutable_graph(); }

  void Input(const std::string& name, const std::vector<int64_t>& dims, int32_t type = kF32) {
    Describe(graph().add_input(), name, dims, type);
  }
  void Output(const std::string& name) { Describe(graph().add_output(), name, {}, kF32); }

  template <class T>
  std::string Constant(const std::string& name, const std::vector<int64_t>& dims,
                       const std::vector<T>& values, int32_t type) {
    auto* t = graph().add_initializer();
    t->set_name(name);
    t->set_data_type(type);
    for (const int64_t d : dims) t->add_dims(d);
    t->set_raw_data(
        std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
    return name;
  }
  std::string Floats(const std::string& name, const std::vector<int64_t>& dims,
                     const std::vector<float>& values) {
    return Constant(name, dims, values, kF32);
  }
  std::string Ints(const std::string& name, const std::vector<int64_t>& values) {
    return Constant(name, {static_cast<int64_t>(values.size())}, values, kS64);
  }
  std::string Scale(const std::string& name, float value) { return Floats(name, {}, {value}); }
  std::string U8(const std::string& name, uint8_t value) {
    return Constant<uint8_t>(name, {}, {value}, kU8);
  }
  std::string S8(const std::string& name, int8_t value) {
    return Constant<int8_t>(name, {}, {value}, kS8);
  }

  // Returns the output's name, which is `out`.
  std::string Node(const std::string& type, const std::vector<std::string>& inputs,
                   const std::string& out, const std::string& domain = "") {
    auto* n = graph().add_node();
    n->set_op_type(type);
    n->set_domain(domain);
    for (const std::string& i : inputs) n->add_input(i);
    n->add_output(out);
    return out;
  }
  // Attributes of the last node.
  onnx_pb::AttributeProto& Attribute(const std::string& name, int32_t type) {
    auto* a = graph().mutable_node(graph().node_size() - 1)->add_attribute();
    a->set_name(name);
    a->set_type(type);
    return *a;
  }
  void Int(const std::string& name, int64_t value) { Attribute(name, 2).set_i(value); }
  void Float(const std::string& name, float value) { Attribute(name, 1).set_f(value); }
  void String(const std::string& name, const std::string& value) {
    Attribute(name, 3).set_s(value);
  }
  void IntList(const std::string& name, const std::vector<int64_t>& values) {
    auto& a = Attribute(name, 7);
    for (const int64_t v : values) a.add_ints(v);
  }

  Bytes File() const {
    const std::string text = model.SerializeAsString();
    return Bytes(text.begin(), text.end());
  }

  onnx_pb::ModelProto model;

 private:
  static void Describe(onnx_pb::ValueInfoProto* info, const std::string& name,
                       const std::vector<int64_t>& dims, int32_t type) {
    info->set_name(name);
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    for (const int64_t d : dims) {
      auto* dim = tensor->mutable_shape()->add_dim();
      if (d > 0) dim->set_dim_value(d);
    }
  }
};

}  // namespace octet::test
