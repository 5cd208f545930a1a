# The price catalogue: generated from the npm package into the build directory, compiled into the domain module.
set(catalogue_package ${CMAKE_SOURCE_DIR}/node_modules/@pydantic/genai-prices)
if(NOT EXISTS ${catalogue_package}/package.json)
  message(FATAL_ERROR "node_modules is missing: run `make setup` first (it installs the price catalogue from npm)")
endif()
find_program(NODE_PROGRAM node HINTS ${CMAKE_SOURCE_DIR}/build/node/bin REQUIRED)
set(catalogue_source ${CMAKE_BINARY_DIR}/generated/price_catalogue_tables.c)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
add_custom_command(
  OUTPUT ${catalogue_source}
  COMMAND ${NODE_PROGRAM} ${CMAKE_SOURCE_DIR}/scripts/price-catalogue.mjs ${catalogue_package} ${catalogue_source}
  DEPENDS ${CMAKE_SOURCE_DIR}/scripts/price-catalogue.mjs ${catalogue_package}/package.json
  COMMENT "Generating the price catalogue"
  VERBATIM)
target_sources(airgate_domain PRIVATE ${catalogue_source})
