// Loads a model, runs it once on zeros and says what came out: the C API by cgo, nothing else.
//
//	go run main.go model.octet     (finds Octet by pkg-config)
package main

// #cgo pkg-config: octet
// #include <stdlib.h>
// #include <octet/octet.h>
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

func check(status C.octet_status) {
	if status != C.OCTET_OK {
		fmt.Fprintln(os.Stderr, C.GoString(C.octet_last_error()))
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "Usage: main MODEL.octet")
		os.Exit(2)
	}
	runtime.LockOSThread() // octet_last_error belongs to the thread
	path := C.CString(os.Args[1])
	defer C.free(unsafe.Pointer(path))

	var model *C.octet_model
	check(C.octet_model_load_file(path, nil, &model))
	defer C.octet_model_destroy(model)
	var session *C.octet_session
	check(C.octet_session_create(model, nil, &session)) // all memory is taken here
	defer C.octet_session_destroy(session)

	for i := C.size_t(0); i < C.octet_model_input_count(model); i++ {
		var data unsafe.Pointer
		var size C.size_t
		check(C.octet_session_input_data(session, i, &data, &size))
		clear(unsafe.Slice((*byte)(data), size)) // in place, no copy
	}
	check(C.octet_session_run(session))

	memory := C.octet_memory{struct_size: C.sizeof_octet_memory}
	check(C.octet_session_memory(model, nil, &memory))
	fmt.Printf("%d bytes of RAM\n", memory.total_bytes)
	for i := C.size_t(0); i < C.octet_model_output_count(model); i++ {
		info := C.octet_tensor_info{struct_size: C.sizeof_octet_tensor_info}
		check(C.octet_model_output_info(model, i, &info))
		var data unsafe.Pointer
		var size C.size_t
		check(C.octet_session_output_data(session, i, &data, &size))
		fmt.Printf("output %s, %d bytes, begins %v\n", C.GoString(info.name), size,
			unsafe.Slice((*int8)(data), min(size, 10)))
	}
}
