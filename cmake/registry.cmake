# airgate_registry(MODULE PREFIX STRUCT HEADER)
# Generates build/generated/generated/MODULE_PREFIXs.h with an array of pointers to every `const struct STRUCT STRUCT_NAME` that stands in
# src/MODULE/PREFIX_NAME.c: a new file registers itself.
function(airgate_registry module prefix struct header)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${module}/${prefix}_*.c)
  list(SORT sources)
  set(declarations "")
  set(entries "")
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^${prefix}_" "" name ${name})
    string(APPEND declarations "extern const struct ${struct} ${struct}_${name};\n")
    string(APPEND entries "    &${struct}_${name},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/generated/${struct}s.h CONTENT
"/* Generated from the names of src/${module}/${prefix}_*.c. */
#include \"${header}\"
${declarations}static const struct ${struct} *const ${struct}s[] = {
${entries}};
")
endfunction()
