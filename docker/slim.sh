# Take out of an environment what no process of ours loads: sh slim.sh /opt/venv
# `make images-test` runs everything that is left in its containers.
set -eu
cd "$1"/lib/python*/site-packages

# Arrow's remote procedure calls, headers and sources; a library under three names, of which one is loaded.
rm -rf pyarrow/include pyarrow/src pyarrow/*.pyx pyarrow/*.pxd pyarrow/*.pxi
rm -f pyarrow/*flight* pyarrow/libarrow_python.so pyarrow/libarrow_python.so.*.*.*
# ONNX Runtime a second time, for programs in C, and what makes models of others.
rm -rf onnxruntime/capi/libonnxruntime.so.* onnxruntime/transformers onnxruntime/quantization onnxruntime/tools
# Of Amazon's services all but storage and who signs in.
find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -rf {} +
find . -type d -name tests -prune -exec rm -rf {} +
# Symbols for debuggers.
strip --strip-unneeded uvloop/*.so pyarrow/libarrow.so.*
