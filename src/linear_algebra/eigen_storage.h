/// \file
/// For the compiler, included before everything else (precompiled.h): a matrix whose resize finds no memory is left
/// empty. In Eigen 3.4 it keeps a pointer to what it has freed, and its destructor frees that again.
#pragma once

#include <Eigen/Core>

namespace Eigen {

template <class T>
void renew_storage(T*& data, Index& size, Index new_size) {
  if (size == new_size) return;
  internal::conditional_aligned_delete_auto<T, true>(data, static_cast<std::size_t>(size));
  data = nullptr;
  size = 0;
  if (new_size > 0) data = internal::conditional_aligned_new_auto<T, true>(static_cast<std::size_t>(new_size));
}

template <>
inline void DenseStorage<double, Dynamic, Dynamic, Dynamic, ColMajor>::resize(Index size, Index rows, Index cols) {
  Index present = m_rows * m_cols;
  if (size != present) m_rows = 0;  // until there is memory
  renew_storage(m_data, present, size);
  m_rows = rows;
  m_cols = cols;
}

template <>
inline void DenseStorage<double, Dynamic, Dynamic, Dynamic, RowMajor>::resize(Index size, Index rows, Index cols) {
  Index present = m_rows * m_cols;
  if (size != present) m_rows = 0;
  renew_storage(m_data, present, size);
  m_rows = rows;
  m_cols = cols;
}

template <>
inline void DenseStorage<double, Dynamic, Dynamic, 1, ColMajor>::resize(Index size, Index, Index) {
  renew_storage(m_data, m_rows, size);
  m_rows = size;
}

template <>
inline void DenseStorage<double, Dynamic, 1, Dynamic, RowMajor>::resize(Index size, Index, Index) {
  renew_storage(m_data, m_cols, size);
  m_cols = size;
}

/// Permutations of decompositions.
template <>
inline void DenseStorage<int, Dynamic, Dynamic, 1, ColMajor>::resize(Index size, Index, Index) {
  renew_storage(m_data, m_rows, size);
  m_rows = size;
}

}  // namespace Eigen
