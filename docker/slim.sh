# Take out of an environment what the service never loads: sh slim.sh /opt/venv
# Nothing that one of its imports meets: tests/docker/test_containers.py runs all of it in the image.
set -eu
cd "$1"/lib/python*/site-packages

# Arrow's remote procedure calls, headers and sources; a library under three names, of which one is loaded.
rm -rf pyarrow/include pyarrow/src pyarrow/tests pyarrow/*.pyx pyarrow/*.pxd pyarrow/*.pxi
rm -f pyarrow/*flight* pyarrow/libarrow_python.so pyarrow/libarrow_python.so.*.*.*
# ONNX Runtime a second time, for programs in C, and what makes models of others.
rm -rf onnxruntime/capi/libonnxruntime.so.* onnxruntime/transformers onnxruntime/quantization onnxruntime/tools
# Of Amazon's services all but storage and who signs in.
find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -rf {} +
find . -type d -name tests -prune -exec rm -rf {} +
# Symbols for debuggers.
strip --strip-unneeded uvloop/*.so pyarrow/libarrow.so.*
# Compiled, since nobody may write to a container's root: what is not would be read anew at each start.
"$1/bin/python" -m compileall -q -j 0 .
